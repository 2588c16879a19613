//! A program that is started again whenever it dies, as the service manager would.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often is looked whether it lives.
const LOOK: Duration = Duration::from_millis(20);

/// How a daemon is started: the command, and what is done to its files before.
pub type Start = Box<dyn Fn() -> Command + Send + Sync>;

struct Inner {
    name: String,
    start: Start,
    log: PathBuf,
    child: Mutex<Option<Child>>,
    /// What is done while it is down, before it is started again.
    while_down: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Ends that were no kill: a program that refuses to start, or gives up.
    refusals: Mutex<Vec<String>>,
    wanted: Mutex<bool>,
}

/// A running program.
pub struct Daemon {
    inner: Arc<Inner>,
    keeper: Option<JoinHandle<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn launch(&self) {
        if let Some(work) = lock(&self.while_down).take() {
            work();
        }
        let log = OpenOptions::new().append(true).create(true).open(&self.log).expect("a log can be written");
        let mut command = (self.start)();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a second handle")).stderr(log);
        *lock(&self.child) = Some(command.spawn().expect("the program starts"));
    }

    fn ended(&self) -> Option<ExitStatus> {
        let mut child = lock(&self.child);
        let ended = child.as_mut()?.try_wait().expect("an own child can be waited for");
        if ended.is_some() {
            *child = None;
        }
        ended
    }

    fn keep(&self) {
        while *lock(&self.wanted) {
            if let Some(status) = self.ended() {
                use std::os::unix::process::ExitStatusExt as _;
                if status.signal() != Some(9) {
                    lock(&self.refusals).push(format!("{} ended by itself: {status}", self.name));
                    // One that refuses to start would do so again and again.
                    return;
                }
                self.launch();
            }
            thread::sleep(LOOK);
        }
    }
}

impl Daemon {
    /// Starts a program and keeps it running.
    pub fn keep(name: &str, log: &Path, start: Start) -> Self {
        let inner = Arc::new(Inner {
            name: name.to_owned(),
            start,
            log: log.to_owned(),
            child: Mutex::default(),
            while_down: Mutex::default(),
            refusals: Mutex::default(),
            wanted: Mutex::new(true),
        });
        inner.launch();
        let kept = Arc::clone(&inner);
        let keeper = thread::Builder::new().name(format!("keep {name}")).spawn(move || kept.keep());
        Self { inner, keeper: Some(keeper.expect("a thread")) }
    }

    /// Kills it; it is started again. False where it was down already.
    pub fn kill(&self) -> bool {
        lock(&self.inner.child).as_mut().is_some_and(|child| child.kill().is_ok())
    }

    /// Does something to its files the next time that it is down.
    pub fn while_down(&self, work: impl FnOnce() + Send + 'static) {
        *lock(&self.inner.while_down) = Some(Box::new(work));
    }

    /// Sentences about ends that were no kill.
    pub fn refusals(&self) -> Vec<String> {
        lock(&self.inner.refusals).clone()
    }

    /// Ends it, and does not start it again.
    pub fn stop(&mut self) {
        *lock(&self.inner.wanted) = false;
        if let Some(keeper) = self.keeper.take() {
            keeper.join().expect("the keeper does not panic");
        }
        if let Some(mut child) = lock(&self.inner.child).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}
