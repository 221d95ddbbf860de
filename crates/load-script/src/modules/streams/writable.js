// WritableStream with its default writer and controller, after the Streams standard (chapter 5).
(function (shared) {
    'use strict';

    const { KEY, deferred, quiet, readStrategy } = shared;

    let coreOf;

    // What a stream is: its state, what waits to be written, and who writes.
    class Core {
        state = 'writable';
        error = undefined;
        writer = undefined;
        queue = [];
        queued = 0;
        isStarted = false;
        // The write or close that the sink works on.
        inFlight = undefined;
        closing = undefined;
        aborting = undefined;
        isFull = false;

        constructor(sink, size, highWaterMark) {
            this.sink = sink;
            this.size = size;
            this.highWaterMark = highWaterMark;
        }

        get desiredSize() {
            if (this.state === 'errored' || this.state === 'erroring') return null;
            return this.state === 'closed' ? 0 : this.highWaterMark - this.queued;
        }

        start(controller) {
            this.controller = controller;
            this.measure();
            const { start } = this.sink;
            const result = start === undefined ? undefined : start.call(this.sink.object, controller);
            Promise.resolve(result).then(
                () => {
                    this.isStarted = true;
                    this.advance();
                },
                (error) => {
                    this.isStarted = true;
                    this.fail(error);
                },
            );
        }

        // Tells the writer whether there is room.
        measure() {
            if (this.state !== 'writable' || this.closing !== undefined) return;
            const isFull = this.desiredSize <= 0;
            if (isFull === this.isFull) return;
            this.isFull = isFull;
            if (this.writer === undefined) return;
            if (isFull) this.writer.ready = quiet();
            else this.writer.ready.resolve(undefined);
        }

        write(chunk) {
            let size = 1;
            try {
                if (this.size !== undefined) size = this.size.call(undefined, chunk);
                if (typeof size !== 'number' || !(size >= 0) || size === Infinity) {
                    throw new RangeError('size must be a finite, non-NaN number');
                }
            } catch (error) {
                this.fail(error);
            }
            if (this.state === 'errored' || this.state === 'erroring') return Promise.reject(this.error);
            if (this.state === 'closed' || this.closing !== undefined) {
                return Promise.reject(new TypeError('the stream is closing or closed'));
            }
            const written = deferred();
            this.queue.push({ chunk, size, written });
            this.queued += size;
            this.measure();
            this.advance();
            return written.promise;
        }

        close() {
            if (this.state === 'closed' || this.closing !== undefined) {
                return Promise.reject(new TypeError('the stream is closing or closed'));
            }
            if (this.state === 'errored') return Promise.reject(this.error);
            this.closing = deferred();
            if (this.writer !== undefined && this.isFull) this.writer.ready.resolve(undefined);
            this.advance();
            return this.closing.promise;
        }

        abort(reason) {
            if (this.state === 'closed' || this.state === 'errored') return Promise.resolve(undefined);
            if (this.aborting !== undefined) return this.aborting.promise;
            this.aborting = { ...deferred(), reason, wasFailing: this.state === 'erroring' };
            const { promise } = this.aborting;
            if (this.state === 'writable') this.fail(reason);
            else this.advance();
            return promise;
        }

        // Gives the sink the next thing, when it has done with the last one.
        advance() {
            if (!this.isStarted || this.inFlight !== undefined) return;
            if (this.state === 'erroring') {
                this.finishFailing();
                return;
            }
            if (this.state !== 'writable') return;
            const first = this.queue[0];
            if (first !== undefined) {
                this.run('write', [first.chunk, this.controller], () => {
                    this.queue.shift();
                    this.queued = this.queue.length === 0 ? 0 : this.queued - first.size;
                    first.written.resolve(undefined);
                    this.measure();
                    this.advance();
                }, (error) => {
                    this.queue.shift();
                    first.written.reject(error);
                    this.fail(error);
                });
            } else if (this.closing !== undefined) {
                this.run('close', [], () => {
                    this.closing.resolve(undefined);
                    this.state = 'closed';
                    this.aborting?.resolve(undefined);
                    this.writer?.closed.resolve(undefined);
                }, (error) => {
                    this.closing.reject(error);
                    this.closing = undefined;
                    this.fail(error);
                });
            }
        }

        run(name, args, done, failed) {
            const method = this.sink[name];
            this.inFlight = name;
            const ran = new Promise((resolve) => {
                resolve(method === undefined ? undefined : method.apply(this.sink.object, args));
            });
            const then = (next) => (value) => {
                this.inFlight = undefined;
                next(value);
                if (this.state === 'erroring') this.advance();
            };
            ran.then(then(done), then(failed));
        }

        fail(error) {
            if (this.state !== 'writable') return;
            this.state = 'erroring';
            this.error = error;
            if (this.writer !== undefined) {
                if (!this.isFull) this.writer.ready = quiet();
                this.writer.ready.reject(error);
            }
            this.advance();
        }

        finishFailing() {
            this.state = 'errored';
            for (const { written } of this.queue.splice(0)) written.reject(this.error);
            this.queued = 0;
            const { aborting } = this;
            const rejected = () => {
                this.closing?.reject(this.error);
                this.writer?.closed.reject(this.error);
            };
            if (aborting === undefined || aborting.wasFailing) {
                aborting?.reject(this.error);
                rejected();
                return;
            }
            const { abort, object } = this.sink;
            const aborted = new Promise((resolve) => {
                resolve(abort === undefined ? undefined : abort.call(object, aborting.reason));
            });
            aborted.then(
                () => {
                    aborting.resolve(undefined);
                    rejected();
                },
                (error) => {
                    aborting.reject(error);
                    rejected();
                },
            );
        }
    }

    function readSink(object) {
        if (object === undefined) return {};
        if (object === null || typeof object !== 'object') {
            throw new TypeError('underlyingSink must be an object');
        }
        if (object.type !== undefined) throw new RangeError('invalid underlying sink type');
        const sink = { object };
        for (const name of ['start', 'write', 'close', 'abort']) {
            const method = object[name];
            if (method === undefined) continue;
            if (typeof method !== 'function') {
                throw new TypeError(`underlyingSink.[[${name}]] must be a function`);
            }
            sink[name] = method;
        }
        return sink;
    }

    class WritableStreamDefaultController {
        #core;

        constructor(key, core) {
            if (key !== KEY) throw new TypeError('illegal constructor');
            this.#core = core;
        }

        error(error) {
            this.#core.fail(error);
        }
    }

    class WritableStream {
        #core;

        static {
            coreOf = (stream) => (
                stream !== null && typeof stream === 'object' && #core in stream ? stream.#core : undefined
            );
        }

        constructor(underlyingSink, strategy = {}) {
            const sink = readSink(underlyingSink);
            const { size, highWaterMark } = readStrategy(strategy, 1);
            this.#core = new Core(sink, size, highWaterMark);
            this.#core.start(new WritableStreamDefaultController(KEY, this.#core));
        }

        get locked() {
            return this.#core.writer !== undefined;
        }

        abort(reason) {
            if (this.locked) return Promise.reject(new TypeError('cannot abort a locked stream'));
            return this.#core.abort(reason);
        }

        close() {
            if (this.locked) return Promise.reject(new TypeError('cannot close a locked stream'));
            return this.#core.close();
        }

        getWriter() {
            return new WritableStreamDefaultWriter(this);
        }
    }

    class WritableStreamDefaultWriter {
        #core;
        #writer;

        constructor(stream) {
            const core = coreOf(stream);
            if (core === undefined) {
                throw new TypeError('WritableStreamDefaultWriter argument must be a WritableStream');
            }
            if (core.writer !== undefined) throw new TypeError('stream is locked');
            const writer = { ready: quiet(), closed: quiet() };
            if (core.state === 'errored' || core.state === 'erroring') writer.ready.reject(core.error);
            else if (!core.isFull || core.closing !== undefined) writer.ready.resolve(undefined);
            if (core.state === 'errored') writer.closed.reject(core.error);
            if (core.state === 'closed') writer.closed.resolve(undefined);
            core.writer = writer;
            this.#writer = writer;
            this.#core = core;
        }

        get closed() {
            return this.#writer.closed.promise;
        }

        get ready() {
            return this.#writer.ready.promise;
        }

        get desiredSize() {
            if (this.#core === undefined) throw new TypeError('stream is undefined');
            return this.#core.desiredSize;
        }

        abort(reason) {
            return this.#run((core) => core.abort(reason));
        }

        close() {
            return this.#run((core) => core.close());
        }

        write(chunk) {
            return this.#run((core) => core.write(chunk));
        }

        releaseLock() {
            if (this.#core === undefined) return;
            const released = new TypeError('writer released');
            for (const name of ['ready', 'closed']) {
                this.#writer[name].reject(released);
                this.#writer[name] = quiet();
                this.#writer[name].reject(released);
            }
            this.#core.writer = undefined;
            this.#core = undefined;
        }

        #run(what) {
            if (this.#core === undefined) return Promise.reject(new TypeError('stream is undefined'));
            return what(this.#core);
        }
    }

    return { WritableStream, WritableStreamDefaultWriter };
})
