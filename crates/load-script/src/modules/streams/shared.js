// What both kinds of streams need: promises to be settled from outside, and queuing strategies.
(() => {
    'use strict';

    // Whoever has it may make controllers; scripts have not.
    const KEY = {};

    function deferred() {
        const all = {};
        all.promise = new Promise((resolve, reject) => {
            all.resolve = resolve;
            all.reject = reject;
        });
        return all;
    }

    // One whose rejection nobody has to look after.
    function quiet() {
        const all = deferred();
        all.promise.catch(() => {});
        return all;
    }

    // An error as k6's own functions throw it.
    function refusal(why) {
        const error = new Error(`NotSupportedError:${why}`);
        error.name = 'GoError';
        return error;
    }

    function readStrategy(strategy, defaultMark) {
        const size = strategy?.size;
        if (size !== undefined && typeof size !== 'function') throw new TypeError('size must be a function');
        const highWaterMark = strategy?.highWaterMark ?? defaultMark;
        if (typeof highWaterMark !== 'number' || !(highWaterMark >= 0)) {
            throw new RangeError('highWaterMark must be a non-negative number');
        }
        return { size, highWaterMark };
    }

    class CountQueuingStrategy {
        constructor(init) {
            if (arguments.length === 0) throw new TypeError('CountQueuingStrategy takes a single argument');
            if (init === null || typeof init !== 'object') {
                throw new TypeError('CountQueuingStrategy argument must be an object');
            }
            if (init.highWaterMark === undefined) {
                throw new TypeError("CountQueuingStrategy argument must have 'highWaterMark' property");
            }
            this.highWaterMark = init.highWaterMark;
        }

        size() {
            return 1;
        }
    }

    return { KEY, deferred, quiet, refusal, readStrategy, CountQueuingStrategy };
})
