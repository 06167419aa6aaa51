//! Answers arrive.

use softboot_engine::Event;
use softboot_unit::UnitName;

use crate::world::{Answer, World, pid};

impl World {
    /// The oldest answer of a lane arrives.
    pub(crate) fn deliver(&mut self, lane: &UnitName) {
        let (Some(answer), Some(unit)) = (self.take_answer(lane), self.engine.unit(lane)) else {
            return;
        };
        let event = match answer {
            Answer::Process(event) => event,
            // The manager looks before it says so: what was true some time ago is not said.
            Answer::CgroupEmpty if self.is_populated(lane) => return,
            Answer::CgroupEmpty => Event::CgroupEmpty { unit },
            Answer::OomKilled => Event::OomKilled { unit },
            // Nor is a process adopted that has ended meanwhile.
            Answer::Adopted(process) if !self.processes.contains_key(&process) => return,
            Answer::Adopted(process) => {
                self.step(Event::MainAdopted {
                    unit,
                    process,
                    pid: pid(process),
                });
                return self.agree_on_main(lane, process);
            }
            Answer::MainUnknown(waits) => Event::MainUnknown { unit, waits },
            Answer::Notify(sender, message) => Event::Notify {
                unit,
                sender,
                message,
            },
            Answer::SocketOpened => Event::SocketOpened { unit },
            Answer::SocketOpenFailed => Event::SocketOpenFailed {
                unit,
                error: "the address is in use".to_owned(),
            },
            Answer::MountSeen => Event::MountSeen {
                unit,
                mounted: self.is_mounted(lane),
            },
        };
        self.step(event);
    }
}
