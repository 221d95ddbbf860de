//! A worker: one thread that owns VUs, or in tests a local task that does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use load_metrics::{Delta, Recorder, RecorderConfig, Registry, UnixNanos};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::job::{Desk, Job, work};
use crate::log::Logger;
use crate::state::RunState;
use crate::vu::{Interrupt, Program, ScriptError, SummaryFile, Vu, VuContext, VuIds};

/// What a worker is asked to do.
pub(crate) enum Command {
    /// Make a VU that then works off jobs.
    Make {
        ids: VuIds,
        reply: oneshot::Sender<Result<mpsc::Sender<Box<Job>>, ScriptError>>,
    },
    /// Run `setup` in a fresh VU.
    Setup {
        interrupt: Interrupt,
        reply: oneshot::Sender<Result<Option<Arc<str>>, ScriptError>>,
    },
    /// Run `teardown` in a fresh VU.
    Teardown {
        data: Option<Arc<str>>,
        interrupt: Interrupt,
        reply: oneshot::Sender<Result<(), ScriptError>>,
    },
    /// Run `handleSummary` in a fresh VU.
    Summary {
        data: Value,
        interrupt: Interrupt,
        reply: oneshot::Sender<SummaryReply>,
    },
    /// Count a sample that no VU takes, with these tags on top of the run's.
    Record {
        metric: load_metrics::MetricId,
        tags: Vec<(String, String)>,
        value: f64,
    },
    /// Say that the thread still gets round to commands.
    Answer(oneshot::Sender<()>),
    /// Hand over what has gathered.
    Flush(oneshot::Sender<Delta>),
}

/// What `handleSummary` returned.
pub(crate) type SummaryReply = Result<Option<Vec<SummaryFile>>, ScriptError>;

/// What every worker gets.
pub(crate) struct Kit<P> {
    pub(crate) program: Arc<P>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) run: Arc<RunState>,
    pub(crate) logger: Logger,
    pub(crate) recorder: RecorderConfig,
}

/// The other end of a worker.
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
    thread: Option<JoinHandle<()>>,
    left: LeftBehind,
    /// Held by whoever finds out whether the thread still answers.
    asking: Mutex<()>,
}

/// Set when a worker's thread does not come back from a script: nobody waits for it any more.
pub(crate) type LeftBehind = CancellationToken;

/// How long what was told to end may take, and how long its thread may then keep silent, before the thread
/// is left behind. A turn of a VU lasts hundredths of a second: only a native that asks nobody takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Commands that may wait; the sender waits when there are more.
const WAITING: usize = 64;

impl Worker {
    /// Starts a worker on a thread of its own.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn on_thread<P: Program>(kit: Kit<P>, number: usize) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel(WAITING);
        // The recorder's outputs are made on this thread and used on the other.
        let body = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => LocalSet::new().block_on(&runtime, async {
                    let run = Arc::clone(&kit.run);
                    let watching = tokio::task::spawn_local(async move {
                        run.health.watch_event_loop().await;
                    });
                    serve(kit, inbox).await;
                    watching.abort();
                }),
                Err(error) => kit
                    .logger
                    .error(&format!("a worker has no runtime: {error}")),
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("vus-{number}"))
            .spawn(body)?;
        Ok(Self {
            commands,
            thread: Some(thread),
            left: LeftBehind::new(),
            asking: Mutex::default(),
        })
    }

    /// Starts a worker as a task of the current `LocalSet`: for tests whose clock is paused.
    pub(crate) fn local<P: Program>(kit: Kit<P>) -> Self {
        let (commands, inbox) = mpsc::channel(WAITING);
        tokio::task::spawn_local(serve(kit, inbox));
        Self {
            commands,
            thread: None,
            left: LeftBehind::new(),
            asking: Mutex::default(),
        }
    }

    /// Where its commands go.
    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    /// Asks for something; `None` when the worker has ended or was left behind.
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

    /// Tells something without waiting for it to be done; false when the worker has ended or was left
    /// behind.
    pub(crate) async fn tell(&self, command: Command) -> bool {
        tokio::select! {
            biased;
            () = self.left.cancelled() => false,
            sent = self.commands.send(command) => sent.is_ok(),
        }
    }

    /// Tells something if the worker can take it now.
    pub(crate) fn try_tell(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Set when its thread is left behind.
    pub(crate) fn left(&self) -> &LeftBehind {
        &self.left
    }

    /// Leaves its thread behind when that does not answer within [`PATIENCE`].
    pub(crate) async fn leave_if_silent(&self) {
        let _asking = self.asking.lock().await;
        if timeout(PATIENCE, self.ask(Command::Answer)).await.is_err() {
            self.left.cancel();
        }
    }

    /// Ends the worker and waits for its thread, unless that was left behind: it ends when it comes to it, or
    /// with the process.
    pub(crate) fn end(mut self) {
        drop(self.commands);
        if let Some(thread) = self.thread.take()
            && !self.left.is_cancelled()
        {
            // A panic on the worker has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Asks the worker that takes these commands; `None` when it has ended.
pub(crate) async fn ask<T>(
    commands: &mpsc::Sender<Command>,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    commands.send(command(reply)).await.ok()?;
    answer.await.ok()
}

async fn serve<P: Program>(kit: Kit<P>, mut inbox: mpsc::Receiver<Command>) {
    let recorder = Recorder::new(Arc::clone(&kit.registry), kit.recorder);
    let min_iteration = kit.run.options().min_iteration_duration.unwrap_or_default();
    let desk = Desk {
        recorder: recorder.clone(),
        run: Arc::clone(&kit.run),
        min_iteration,
    };
    let context = VuContext {
        ids: VuIds::default(),
        recorder: recorder.clone(),
        run: Arc::clone(&kit.run),
        logger: kit.logger.clone(),
        interrupt: kit.run.stopped().clone(),
    };
    let mut vus = tokio::task::JoinSet::new();
    while let Some(command) = inbox.recv().await {
        let (program, context) = (Arc::clone(&kit.program), context.clone());
        match command {
            Command::Make { ids, reply } => {
                let context = VuContext { ids, ..context };
                vus.spawn_local(make(program, context, reply, desk.clone()));
            }
            Command::Setup { interrupt, reply } => {
                vus.spawn_local(async move {
                    let done = match program.make_vu(context).await {
                        Ok(mut vu) => vu.setup(interrupt).await,
                        Err(error) => Err(error),
                    };
                    let _ = reply.send(done); // the asker gives up only when the run ends
                });
            }
            Command::Teardown {
                data,
                interrupt,
                reply,
            } => {
                let context = context.interrupted_by(&interrupt);
                vus.spawn_local(async move {
                    let done = match program.make_vu(context).await {
                        Ok(mut vu) => vu.teardown(data, interrupt).await,
                        Err(error) => Err(error),
                    };
                    let _ = reply.send(done); // the asker gives up only when the run ends
                });
            }
            Command::Summary {
                data,
                interrupt,
                reply,
            } => {
                let context = context.interrupted_by(&interrupt);
                vus.spawn_local(async move {
                    let done = match program.make_vu(context).await {
                        Ok(mut vu) => vu.handle_summary(data, interrupt).await,
                        Err(error) => Err(error),
                    };
                    let _ = reply.send(done); // the asker gives up only when the run ends
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
            Command::Answer(reply) => {
                let _ = reply.send(()); // too late when nobody waits any more
            }
            Command::Flush(reply) => {
                recorder.flush();
                let _ = reply.send(recorder.take_delta()); // lost only when the run ends
            }
        }
    }
    // No more commands: the executors are gone, so the VUs have no jobs.
    vus.abort_all();
    while vus.join_next().await.is_some() {}
    recorder.flush();
}

async fn make<P: Program>(
    program: Arc<P>,
    context: VuContext,
    reply: oneshot::Sender<Result<mpsc::Sender<Box<Job>>, ScriptError>>,
    desk: Desk,
) {
    let run = Arc::clone(&context.run);
    let vu = match program.make_vu(context).await {
        Ok(vu) => vu,
        Err(error) => {
            let _ = reply.send(Err(error)); // the asker gives up only when the run ends
            return;
        }
    };
    run.instance.vus_initialized.fetch_add(1, Ordering::Relaxed);
    // One job at a time: an executor gives a VU its next one after the last has ended.
    let (jobs, inbox) = mpsc::channel(1);
    if reply.send(Ok(jobs)).is_ok() {
        work(vu, inbox, desk).await;
    }
}

/// The time, for samples.
pub(crate) fn now() -> UnixNanos {
    UnixNanos::from(std::time::SystemTime::now())
}
