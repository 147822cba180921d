//! Schedules and nemeses, as methods of a lab.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::lab::attempt::{LabAttempt, ThreadPurpose};
use crate::lab::error::{LabError, LabErrorKind, Result};
use crate::lab::faults::view::LabView;
use crate::lab::lab::Lab;
use crate::lab::nemesis::clockwork::carry_out;
#[cfg(feature = "toml")]
use crate::lab::nemesis::kept;
use crate::lab::nemesis::run::ScheduleRun;
use crate::lab::nemesis::steps::ScheduleSteps;
use crate::lab::schedules::Progress;
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

    /// Draws a schedule as [`nemesis`](Self::nemesis) does, and leaves it to the test to carry the
    /// schedule out.
    ///
    /// The schedule comes from the trial's seed and from the number of schedules that the trial has
    /// drawn before, by this method or by `nemesis`: two draws of a trial differ, and a run with
    /// the same seed draws the same ones, in the same order. Threads that draw at the same time
    /// have no order, so that each should name a seed ([`Nemesis::seed`]), such as one made of
    /// [`seed`](crate::seed). A nemesis with a seed of its own draws the same schedule each time,
    /// and does not count.
    ///
    /// ```no_run
    /// use snowglobe::fault::Nemesis;
    /// # use snowglobe::prelude::*;
    ///
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::star(3).start()?;
    /// let nemesis = Nemesis::partitions(Duration::from_secs(10));
    /// assert_ne!(lab.draw(&nemesis)?, lab.draw(&nemesis)?);
    /// let own = nemesis.seed(snowglobe::seed());
    /// assert_eq!(lab.draw(&own)?, lab.draw(&own)?);
    /// # Ok(())
    /// # }
    /// ```
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
        let drawn = nemesis.schedule(seed, &self.view().targets());
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

    /// Makes a schedule whose time the test moves on: [`ScheduleSteps::advance`]. Nothing happens
    /// meanwhile, so that faults strike at the same points of the test in each run, however busy
    /// the machine is: after a number of operations, say, or between two rounds of a service that
    /// the test drives. A fault that waits for its subject
    /// ([`ScheduledFault::waits`](crate::fault::ScheduledFault::waits)) strikes at the first step
    /// at which the subject is there.
    ///
    /// ```no_run
    /// use snowglobe::fault::Nemesis;
    /// # use snowglobe::prelude::*;
    ///
    /// # #[snowglobe::test]
    /// # fn t() -> TestResult {
    /// # let lab = shape::star(3).start()?;
    /// let schedule = lab.draw(&Nemesis::partitions(Duration::from_secs(10)))?;
    /// let mut steps = lab.schedule_in_steps(&schedule)?;
    /// while !steps.has_ended() {
    ///     steps.advance(Duration::from_millis(100))?;
    ///     // … the next ten operations …
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A fault names what the lab does not have, or cannot be.
    pub fn schedule_in_steps(&self, schedule: &Schedule) -> Result<ScheduleSteps> {
        let (schedule, view) = self.prepare(schedule.clone())?;
        // The steps are not among the schedules that the end of the lab stops: those are on threads
        // of their own.
        Ok(ScheduleSteps::new(schedule, view))
    }

    fn run(&self, schedule: Schedule) -> Result<ScheduleRun> {
        let (schedule, view) = self.prepare(schedule)?;
        let progress = Arc::new(Progress::default());
        let (own, told) = (Arc::clone(&schedule), Arc::clone(&progress));
        let thread = std::thread::Builder::new()
            .name("nemesis".to_owned())
            .spawn(move || carry_out(own, view, &told))
            .map_err(|e| LabError::io(LabAttempt::StartThread(ThreadPurpose::Schedule), &e))?;
        self.schedules().add(&progress);
        Ok(ScheduleRun::new(schedule, progress, thread))
    }

    /// Puts the schedule of the environment in the place of this one, keeps and checks it, and
    /// tells it.
    fn prepare(&self, schedule: Schedule) -> Result<(Arc<Schedule>, LabView)> {
        let view = self.view();
        let targets = view.targets();
        // Names last longer than ids: the file is read again by people and by other versions of the
        // test.
        let schedule = schedule.named(&targets);
        #[cfg(feature = "toml")]
        let schedule = match kept::replacement()? {
            Some(replacement) => replacement.named(&targets),
            None => {
                kept::keep(&schedule);
                schedule
            }
        };
        // The schedule is checked before anything begins: an error must leave the lab as it was.
        schedule.check(&targets).map_err(|error| wrong(&error))?;
        // The trial's output is shown where it fails.
        eprint!("{schedule}");
        for fault in schedule.faults() {
            record::add(&RecordLine {
                kind: LineKind::Schedule,
                source: "the schedule".to_owned(),
                text: fault.to_string(),
            });
        }
        Ok((Arc::new(schedule), view))
    }
}

fn wrong(error: &ScheduleError) -> LabError {
    let kind = match error.kind() {
        ScheduleErrorKind::Unknown => LabErrorKind::NotFound,
        ScheduleErrorKind::Syntax
        | ScheduleErrorKind::Impossible
        | ScheduleErrorKind::Unreadable
        // The enum is not exhaustive for users, who see it through this crate.
        | _ => LabErrorKind::InvalidArgument,
    };
    LabError::caused(kind, LabAttempt::CarryOutSchedule, error.clone())
}
