//! CPU time, and the CPUs that threads run on.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::args::Pin;
use crate::failure::Failure;

/// The CPU time that this process has used so far, in user and system mode, over all threads.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

/// The CPUs of the near and the far end.
pub fn choose(pin: Pin) -> Result<(Option<usize>, Option<usize>), Failure> {
    if pin == Pin::None {
        return Ok((None, None));
    }
    let allowed = sched_getaffinity(None).map_err(|error| Failure::because("--pin", error))?;
    let mut allowed = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
    let near = allowed.next();
    match pin {
        Pin::Split => match allowed.next() {
            Some(far) => Ok((near, Some(far))),
            None => Err(Failure::Runtime(
                "--pin split needs two CPUs, and there is one".into(),
            )),
        },
        _ => Ok((near, near)),
    }
}

/// Keeps this thread, and those that it starts from now on, on one CPU.
pub fn pin_to(cpu: Option<usize>) -> Result<(), Failure> {
    let Some(cpu) = cpu else { return Ok(()) };
    if cpu >= CpuSet::MAX_CPU {
        return Err(Failure::Usage(format!("there is no CPU {cpu}")));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
        .map_err(|error| Failure::because(format_args!("CPU {cpu}"), error))
}
