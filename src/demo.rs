//! Tasks that look like a field operation's, with export configs and scripts that shape them: for the
//! first look at the product, and for measuring it.

mod configs;
mod flows;
mod people;
mod random;
mod scripts;
mod task;

pub use configs::configs;
pub use flows::{flows, hubs};
pub use scripts::{SCRIPTS, write_scripts};
pub use task::tasks;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::domain::flow::COMPONENT_KINDS;
    use crate::domain::task::{Intake, Keys};
    use crate::domain::{Id, Moment, Status, Task, TaskRead, TimeField, Zone};

    const NOW: Moment = Moment(1_750_000_000_000);

    fn parsed(count: u64) -> Vec<Task> {
        let zone = Zone::utc();
        let intake = Intake { organization: Id([1; 12]), zone: &zone, now: NOW, fresh_id: Id([9; 12]) };
        tasks(count, NOW)
            .map(|text| {
                Task::parse(&text, intake, &mut Keys::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
            })
            .collect()
    }

    #[test]
    fn every_task_is_valid_and_has_an_id_of_its_own() {
        let tasks = parsed(3_000);
        let ids: HashSet<Id> = tasks.iter().map(Task::id).collect();
        assert_eq!(ids.len(), 3_000);
        let bytes: usize = tasks.iter().map(|task| task.json().len()).sum();
        assert!((600..1_400).contains(&(bytes / 3_000)), "{} bytes a task", bytes / 3_000);
    }

    #[test]
    fn the_same_wish_gives_the_same_tasks() {
        assert!(tasks(500, NOW).eq(tasks(500, NOW)));
    }

    #[test]
    fn every_kind_of_component_is_asked_for_and_answered() {
        let flows = flows(NOW);
        let kinds: BTreeSet<&str> =
            flows.iter().flat_map(|flow| flow.components()).map(|c| c.component.as_str()).collect();
        assert_eq!(kinds, COMPONENT_KINDS.into_iter().collect());
        let tasks = parsed(3_000);
        let keys: HashSet<String> = tasks.iter().flat_map(|task| task.names().map(Cow::into_owned)).collect();
        for component in flows.iter().flat_map(|flow| flow.components()) {
            let answered =
                keys.iter().any(|key| *key == component.id || key.starts_with(&format!("{}_", component.id)));
            assert!(answered, "{}", component.id);
        }
    }

    #[test]
    fn times_follow_each_other_and_done_tasks_have_their_end() {
        let tasks = parsed(3_000);
        for task in &tasks {
            let at = |field| task.header().time(field);
            let (created, start, end) = (at(TimeField::Created), at(TimeField::Start), at(TimeField::End));
            assert!(created < start && start < end, "{}", task.json());
            assert!(created <= Some(NOW));
            assert_eq!(task.header().status == Status::Done, at(TimeField::Done).is_some());
            assert!(at(TimeField::Done).is_none_or(|done| Some(done) > start && done <= NOW), "{}", task.json());
        }
        let done = tasks.iter().filter(|task| task.header().status == Status::Done).count();
        assert!((2_000..2_900).contains(&done), "{done}");
    }
}
