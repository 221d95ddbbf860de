//! A worker: one thread that owns VUs, or in tests a local task that does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use load_metrics::{Delta, Recorder, RecorderConfig, Registry, UnixNanos};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::call::{Call, ask};
use crate::job::{Job, WorkerContext, work};
use crate::log::Logger;
use crate::script::{ScriptError, SummaryCall, SummaryReturn};
use crate::state::RunState;
use crate::vu::{Program, Vu, VuContext, VuIds};

/// A command to a worker.
pub(crate) enum Command {
    /// Make a VU, which then processes jobs.
    Make {
        ids: VuIds,
        reply: oneshot::Sender<Result<mpsc::Sender<Box<Job>>, ScriptError>>,
    },
    /// Run `handleSummary` in a fresh VU.
    Summary {
        call: SummaryCall,
        reply: oneshot::Sender<SummaryReturn>,
    },
    /// Record a sample that belongs to no VU, with these tags in addition to the run's.
    Record {
        metric: load_metrics::MetricId,
        tags: Vec<(String, String)>,
        value: f64,
    },
    /// Confirm that the thread still processes commands.
    Ping(oneshot::Sender<()>),
    /// Hand over the gathered samples.
    Flush(oneshot::Sender<Delta>),
}

/// The inputs of a new worker.
pub(crate) struct WorkerConfig<P> {
    pub(crate) program: Arc<P>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) run: Arc<RunState>,
    pub(crate) logger: Logger,
    pub(crate) recorder: RecorderConfig,
}

/// The handle of a worker.
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
    calls: mpsc::Sender<Call>,
    thread: Option<JoinHandle<()>>,
    left: Abandoned,
    /// Locked while a caller checks whether the thread still responds.
    asking: Mutex<()>,
}

/// Set when a worker's thread does not return from a script: it is abandoned.
pub(crate) type Abandoned = CancellationToken;

/// How long interrupted code may take to end, and how long its thread may then be silent, before the thread is
/// abandoned. A turn of a VU lasts hundredths of a second: only a native function that never checks the
/// interrupt takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The capacity of the command queue; senders wait when it is full.
const WAITING: usize = 64;

impl Worker {
    /// Starts a worker on a thread of its own.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub(crate) fn on_thread<P: Program>(
        config: WorkerConfig<P>,
        number: usize,
    ) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel(WAITING);
        let (calls, called) = mpsc::channel(WAITING);
        // The recorder's outputs are made on this thread and used on the new one.
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => LocalSet::new().block_on(&runtime, async {
                    let run = Arc::clone(&config.run);
                    let watching = tokio::task::spawn_local(async move {
                        run.health.watch_event_loop().await;
                    });
                    serve(config, inbox, called).await;
                    watching.abort();
                }),
                Err(error) => config
                    .logger
                    .error(&format!("a worker has no runtime: {error}")),
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("vus-{number}"))
            .spawn(body)?;
        Ok(Self {
            commands,
            calls,
            thread: Some(thread),
            left: Abandoned::new(),
            asking: Mutex::default(),
        })
    }

    /// Starts a worker as a task of the current `LocalSet`: for tests whose clock is paused.
    pub(crate) fn local<P: Program>(config: WorkerConfig<P>) -> Self {
        let (commands, inbox) = mpsc::channel(WAITING);
        let (calls, called) = mpsc::channel(WAITING);
        tokio::task::spawn_local(serve(config, inbox, called));
        Self {
            commands,
            calls,
            thread: None,
            left: Abandoned::new(),
            asking: Mutex::default(),
        }
    }

    /// The sender for calls of the script's functions.
    pub(crate) fn calls(&self) -> &mpsc::Sender<Call> {
        &self.calls
    }

    /// Sends a command and waits for the reply; `None` when the worker has ended or was abandoned.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Option<T> {
        tokio::select! {
            biased;
            () = self.left.cancelled() => None,
            answer = ask(&self.commands, command) => answer,
        }
    }

    /// Sends a command without waiting for its completion; false when the worker has ended or was abandoned.
    pub(crate) async fn tell(&self, command: Command) -> bool {
        tokio::select! {
            biased;
            () = self.left.cancelled() => false,
            sent = self.commands.send(command) => sent.is_ok(),
        }
    }

    /// Sends a command if the queue has room.
    pub(crate) fn try_tell(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Set when its thread is abandoned.
    pub(crate) fn left(&self) -> &Abandoned {
        &self.left
    }

    /// Abandons the thread if it does not respond within [`PATIENCE`].
    pub(crate) async fn leave_if_silent(&self) {
        let _asking = self.asking.lock().await;
        if timeout(PATIENCE, self.ask(Command::Ping)).await.is_err() {
            self.left.cancel();
        }
    }

    /// Ends the worker and waits for its thread. An abandoned thread is not waited for: it ends on its own, or
    /// with the process.
    pub(crate) fn end(mut self) {
        drop(self.commands);
        drop(self.calls);
        if let Some(thread) = self.thread.take()
            && !self.left.is_cancelled()
        {
            // A panic on the worker has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

async fn serve<P: Program>(
    config: WorkerConfig<P>,
    mut inbox: mpsc::Receiver<Command>,
    mut called: mpsc::Receiver<Call>,
) {
    let recorder = Recorder::new(Arc::clone(&config.registry), config.recorder);
    let min_iteration = config
        .run
        .options()
        .min_iteration_duration
        .unwrap_or_default();
    let worker = WorkerContext {
        recorder: recorder.clone(),
        run: Arc::clone(&config.run),
        min_iteration,
    };
    let context = VuContext {
        ids: VuIds::default(),
        recorder: recorder.clone(),
        run: Arc::clone(&config.run),
        logger: config.logger.clone(),
        interrupt: config.run.stopped().clone(),
    };
    let mut vus = tokio::task::JoinSet::new();
    loop {
        // In the order in which the run sends commands: it calls a function and collects samples later.
        let command = tokio::select! {
            biased;
            Some(call) = called.recv() => {
                let (program, context) = (Arc::clone(&config.program), context.clone());
                vus.spawn_local(run_function(program, context, call));
                continue;
            }
            command = inbox.recv() => command,
        };
        let Some(command) = command else { break };
        let (program, context) = (Arc::clone(&config.program), context.clone());
        match command {
            Command::Make { ids, reply } => {
                let context = VuContext { ids, ..context };
                vus.spawn_local(make(program, context, reply, worker.clone()));
            }
            Command::Summary { call, reply } => {
                let context = context.interrupted_by(&call.interrupt);
                vus.spawn_local(async move {
                    let done = match program.make_vu(context).await {
                        Ok(mut vu) => vu.handle_summary(call).await,
                        Err(error) => SummaryReturn::of_no_call(Err(error)),
                    };
                    let _ = reply.send(done); // the caller stops waiting only when the run ends
                });
            }
            Command::Record {
                metric,
                tags,
                value,
            } => {
                let pairs: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
                let tags = recorder.extend(&recorder.root(), &pairs);
                recorder.record(metric, &tags, now(), value);
            }
            Command::Ping(reply) => {
                let _ = reply.send(()); // ignored without a receiver
            }
            Command::Flush(reply) => {
                recorder.flush();
                let _ = reply.send(recorder.take_delta()); // lost only when the run ends
            }
        }
    }
    // The executors are gone, so there are no more commands and no jobs.
    vus.abort_all();
    while vus.join_next().await.is_some() {}
    recorder.flush();
}

async fn run_function<P: Program>(program: Arc<P>, context: VuContext, call: Call) {
    match call {
        Call::Setup { interrupt, reply } => {
            let done = match program.make_vu(context).await {
                Ok(mut vu) => vu.setup(interrupt).await,
                Err(error) => Err(error),
            };
            let _ = reply.send(done); // the caller stops waiting only when the run ends
        }
        Call::Teardown {
            data,
            interrupt,
            reply,
        } => {
            let context = context.interrupted_by(&interrupt);
            let done = match program.make_vu(context).await {
                Ok(mut vu) => vu.teardown(data, interrupt).await,
                Err(error) => Err(error),
            };
            let _ = reply.send(done); // the caller stops waiting only when the run ends
        }
    }
}

async fn make<P: Program>(
    program: Arc<P>,
    context: VuContext,
    reply: oneshot::Sender<Result<mpsc::Sender<Box<Job>>, ScriptError>>,
    worker: WorkerContext,
) {
    let run = Arc::clone(&context.run);
    let vu = match program.make_vu(context).await {
        Ok(vu) => vu,
        Err(error) => {
            let _ = reply.send(Err(error)); // the caller stops waiting only when the run ends
            return;
        }
    };
    run.instance.vus_initialized.fetch_add(1, Ordering::Relaxed);
    // Room for one: an executor gives a VU its next job only after the last has ended.
    let (jobs, inbox) = mpsc::channel(1);
    if reply.send(Ok(jobs)).is_ok() {
        work(vu, inbox, worker).await;
    }
}

/// The current time for samples.
pub(crate) fn now() -> UnixNanos {
    UnixNanos::from(std::time::SystemTime::now())
}
