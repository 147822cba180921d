//! Schedules and nemeses, as methods of a lab.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::lab::Lab;
use crate::lab::nemesis::clockwork::{Progress, carry_out};
#[cfg(feature = "toml")]
use crate::lab::nemesis::kept;
use crate::lab::nemesis::run::ScheduleRun;
use crate::model::fault::{Nemesis, Schedule, ScheduleError, ScheduleErrorKind};
use crate::model::random::seed_for;
use crate::model::twice::{LineKind, RecordLine};
use crate::trial::{record, running};

impl Lab {
    /// Draws a schedule from the trial's seed, and carries it out on a thread of its own. All
    /// faults are healed when the nemesis is over, or when the guard is dropped.
    ///
    /// The schedule is printed, kept in a file if the trial fails, and replaced by the file that
    /// `SNOWGLOBE_SCHEDULE` names.
    ///
    /// ```no_run
    /// use snowglobe::fault::{Fault, Nemesis, NodeRef, Split};
    /// use snowglobe::prelude::*;
    ///
    /// #[snowglobe::test]
    /// fn writes_are_not_lost() -> TestResult {
    ///     let lab = shape::star(5).start()?;
    ///     let nemesis = Nemesis::new(Duration::from_secs(20))
    ///         .split(2, Split::Halves)
    ///         .split(1, Split::MajoritiesRing)
    ///         .fault(1, Fault::pause(NodeRef::any()));
    ///     let nemesis = lab.nemesis(&nemesis)?;
    ///     // … clients write and read …
    ///     nemesis.wait()?;
    ///     // … all is healed: what was acknowledged is there …
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// The nemesis names what the lab does not have, or can do nothing. Nothing has begun then.
    pub fn nemesis(&self, nemesis: &Nemesis) -> Result<ScheduleRun> {
        let schedule = self.draw(nemesis)?;
        self.run(schedule)
    }

    /// Draws the schedule that [`nemesis`](Self::nemesis) would carry out.
    ///
    /// # Errors
    /// The nemesis names what the lab does not have, or can do nothing.
    pub fn draw(&self, nemesis: &Nemesis) -> Result<Schedule> {
        // A second nemesis of a trial is another one.
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        let trial = running::current().map_or(0, |trial| trial.seed);
        let seed = nemesis.own_seed().unwrap_or_else(|| {
            let number = DRAWN.fetch_add(1, Ordering::Relaxed);
            seed_for(trial, &format!("nemesis {number}"))
        });
        let drawn = nemesis.schedule(seed, &self.scene().targets());
        drawn.map_err(|error| wrong(&error))
    }

    /// Carries out a schedule on a thread of its own. All faults are healed at its end, or when the
    /// guard is dropped.
    ///
    /// ```no_run
    /// use snowglobe::fault::Schedule;
    /// # use snowglobe::prelude::*;
    ///
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::star(3).start()?;
    /// let schedule = Schedule::from_toml(
    ///     r#"
    ///     [[fault]]
    ///     at = "100ms"
    ///     lasts = "2s"
    ///     fault = "crash"
    ///     node = "n1"
    ///     "#,
    /// )?;
    /// lab.run_schedule(&schedule)?.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A fault names what the lab does not have, or cannot be. Nothing has begun then.
    pub fn run_schedule(&self, schedule: &Schedule) -> Result<ScheduleRun> {
        self.run(schedule.clone())
    }

    fn run(&self, schedule: Schedule) -> Result<ScheduleRun> {
        #[cfg(feature = "toml")]
        let schedule = match kept::replacement()? {
            Some(replacement) => replacement,
            None => {
                kept::keep(&schedule);
                schedule
            }
        };
        // Before anything begins: an error must leave the lab as it was.
        let scene = self.scene();
        schedule
            .check(&scene.targets())
            .map_err(|error| wrong(&error))?;
        // The trial's output is shown where it fails.
        eprint!("{schedule}");
        for fault in schedule.faults() {
            record::add(&RecordLine {
                kind: LineKind::Schedule,
                source: "the schedule".to_owned(),
                text: fault.to_string(),
            });
        }
        let schedule = Arc::new(schedule);
        let progress = Arc::new(Progress::default());
        let (own, told) = (Arc::clone(&schedule), Arc::clone(&progress));
        let thread = std::thread::Builder::new()
            .name("nemesis".to_owned())
            .spawn(move || carry_out(&own, &scene, &told))
            .map_err(|e| LabError::io("start a thread for a schedule of faults", &e))?;
        self.schedules().add(&progress);
        Ok(ScheduleRun::new(schedule, progress, thread))
    }
}

fn wrong(error: &ScheduleError) -> LabError {
    let kind = match error.kind() {
        ScheduleErrorKind::Unknown => LabErrorKind::NotFound,
        _ => LabErrorKind::InvalidArgument,
    };
    LabError::failed(kind, "carry out a schedule of faults", error.to_string())
}
