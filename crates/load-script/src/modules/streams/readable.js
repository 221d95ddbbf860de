// ReadableStream with its default reader and controller, after the Streams standard (chapter 4), as far
// as k6 has it: no byte streams, no pipes. The texts of errors are k6's.
(function (shared) {
    'use strict';

    const { KEY, deferred, quiet, readStrategy, refusal } = shared;

    let coreOf;

    // What a stream is: its state, its queue, and who reads.
    class Core {
        state = 'readable';
        error = undefined;
        reader = undefined;
        queue = [];
        queued = 0;
        isStarted = false;
        isPulling = false;
        pullsAgain = false;
        closes = false;

        constructor(source, size, highWaterMark) {
            this.source = source;
            this.size = size;
            this.highWaterMark = highWaterMark;
        }

        get desiredSize() {
            if (this.state === 'errored') return null;
            return this.state === 'closed' ? 0 : this.highWaterMark - this.queued;
        }

        get takes() {
            return this.state === 'readable' && !this.closes;
        }

        start(controller) {
            this.controller = controller;
            const { start } = this.source;
            const result = start === undefined ? undefined : start.call(this.source.object, controller);
            Promise.resolve(result).then(
                () => {
                    this.isStarted = true;
                    this.pull();
                },
                (error) => this.fail(error),
            );
        }

        // Asks the source for more when somebody waits or the queue has room.
        pull() {
            const isWanted = this.takes && this.isStarted
                && (this.reader?.requests.length > 0 || this.desiredSize > 0);
            if (!isWanted) return;
            if (this.isPulling) {
                this.pullsAgain = true;
                return;
            }
            this.isPulling = true;
            const { pull } = this.source;
            const pulled = new Promise((resolve) => {
                resolve(pull === undefined ? undefined : pull.call(this.source.object, this.controller));
            });
            pulled.then(
                () => {
                    this.isPulling = false;
                    if (this.pullsAgain) {
                        this.pullsAgain = false;
                        this.pull();
                    }
                },
                (error) => this.fail(error),
            );
        }

        enqueue(chunk) {
            if (!this.takes) throw new TypeError('cannot close or enqueue');
            if (this.reader?.requests.length > 0) {
                this.reader.requests.shift().resolve({ value: chunk, done: false });
            } else {
                let size = 1;
                try {
                    if (this.size !== undefined) size = this.size.call(undefined, chunk);
                    if (typeof size !== 'number' || !(size >= 0) || size === Infinity) {
                        throw new RangeError('size must be a finite, non-NaN number');
                    }
                } catch (error) {
                    this.fail(error);
                    throw error;
                }
                this.queue.push({ chunk, size });
                this.queued += size;
            }
            this.pull();
        }

        close() {
            if (!this.takes) throw new TypeError('cannot close or enqueue');
            this.closes = true;
            if (this.queue.length === 0) this.end();
        }

        // Nothing more comes.
        end() {
            this.state = 'closed';
            this.source = {};
            this.size = undefined;
            const { reader } = this;
            if (reader === undefined) return;
            reader.closed.resolve(undefined);
            for (const request of reader.requests.splice(0)) request.resolve({ value: undefined, done: true });
        }

        fail(error) {
            if (this.state !== 'readable') return;
            this.state = 'errored';
            this.error = error;
            this.queue = [];
            this.queued = 0;
            this.source = {};
            this.size = undefined;
            const { reader } = this;
            if (reader === undefined) return;
            reader.closed.reject(error);
            for (const request of reader.requests.splice(0)) request.reject(error);
        }

        read() {
            if (this.state === 'errored') return Promise.reject(this.error);
            if (this.state === 'closed') return Promise.resolve({ value: undefined, done: true });
            const first = this.queue.shift();
            if (first === undefined) {
                const request = deferred();
                this.reader.requests.push(request);
                this.pull();
                return request.promise;
            }
            this.queued = this.queue.length === 0 ? 0 : this.queued - first.size;
            if (this.closes && this.queue.length === 0) this.end();
            else this.pull();
            return Promise.resolve({ value: first.chunk, done: false });
        }

        cancel(reason) {
            if (this.state === 'closed') return Promise.resolve(undefined);
            if (this.state === 'errored') return Promise.reject(this.error);
            const { cancel, object } = this.source;
            this.queue = [];
            this.queued = 0;
            this.end();
            const cancelled = new Promise((resolve) => {
                resolve(cancel === undefined ? undefined : cancel.call(object, reason));
            });
            return cancelled.then(() => undefined);
        }
    }

    function readSource(object) {
        if (object === undefined) return {};
        if (object === null || typeof object !== 'object') {
            throw new TypeError('underlyingSource must be an object');
        }
        if (object.type === 'bytes') throw refusal("'bytes' stream is not supported yet");
        if (object.type !== undefined) throw new TypeError('invalid underlying source type');
        const source = { object };
        for (const name of ['start', 'pull', 'cancel']) {
            const method = object[name];
            if (method === undefined) continue;
            if (typeof method !== 'function') {
                throw new TypeError(`underlyingSource.[[${name}]] must be a function`);
            }
            source[name] = method;
        }
        return source;
    }

    class ReadableStreamDefaultController {
        #core;

        constructor(key, core) {
            if (key !== KEY) throw new TypeError('illegal constructor');
            this.#core = core;
        }

        get desiredSize() {
            return this.#core.desiredSize;
        }

        enqueue(chunk) {
            this.#core.enqueue(chunk);
        }

        close() {
            this.#core.close();
        }

        error(error) {
            this.#core.fail(error);
        }
    }

    class ReadableStream {
        #core;

        static {
            coreOf = (stream) => (
                stream !== null && typeof stream === 'object' && #core in stream ? stream.#core : undefined
            );
        }

        constructor(underlyingSource, strategy = {}) {
            const source = readSource(underlyingSource);
            const { size, highWaterMark } = readStrategy(strategy, 1);
            this.#core = new Core(source, size, highWaterMark);
            this.#core.start(new ReadableStreamDefaultController(KEY, this.#core));
        }

        get locked() {
            return this.#core.reader !== undefined;
        }

        cancel(reason) {
            if (this.locked) return Promise.reject(new TypeError('cannot cancel a locked stream'));
            return this.#core.cancel(reason);
        }

        tee() {
            throw refusal("'tee()' is not supported yet");
        }

        getReader(options) {
            const mode = options?.mode;
            if (mode === 'byob') throw refusal("'byob' mode is not supported yet");
            if (mode !== undefined) throw new TypeError("options.mode is not 'byob'");
            return new ReadableStreamDefaultReader(this);
        }
    }

    class ReadableStreamDefaultReader {
        #core;
        #reader;

        constructor(stream) {
            if (arguments.length === 0) {
                throw new TypeError('ReadableStreamDefaultReader takes a single argument');
            }
            const core = coreOf(stream);
            if (core === undefined) {
                throw new TypeError('ReadableStreamDefaultReader argument must be a ReadableStream');
            }
            if (core.reader !== undefined) throw new TypeError('stream is locked');
            this.#reader = { requests: [], closed: quiet() };
            if (core.state === 'closed') this.#reader.closed.resolve(undefined);
            if (core.state === 'errored') this.#reader.closed.reject(core.error);
            core.reader = this.#reader;
            this.#core = core;
        }

        get closed() {
            return this.#reader.closed.promise;
        }

        read() {
            if (this.#core === undefined) return Promise.reject(new TypeError('stream is undefined'));
            return this.#core.read();
        }

        cancel(reason) {
            if (this.#core === undefined) return Promise.reject(new TypeError('stream is undefined'));
            return this.#core.cancel(reason);
        }

        releaseLock() {
            if (this.#core === undefined) return;
            const released = new TypeError('reader released');
            for (const request of this.#reader.requests.splice(0)) request.reject(released);
            const closed = new TypeError(`stream is ${this.#core.state}`);
            this.#reader.closed.reject(closed);
            this.#reader.closed = quiet();
            this.#reader.closed.reject(closed);
            this.#core.reader = undefined;
            this.#core = undefined;
        }
    }

    return { ReadableStream, ReadableStreamDefaultReader };
})
