//! `cat`.

use std::fs;

use softboot_control::api::UnitReply;

use super::session::Session;
use crate::error::Error;
use crate::exit;
use crate::paint::Tone;
use crate::text::{clean, clean_line};

/// The files are read here: who may read them is for the system to say, not for softbootd.
pub(super) fn cat(session: &mut Session, words: &[String]) -> Result<u8, Error> {
    let mut first = true;
    session.each(words, exit::NO_SUCH_UNIT, |session, unit| {
        let UnitReply { unit: info, detail } = session.unit(unit)?;
        if detail.fragment.is_none() && detail.drop_ins.is_empty() {
            let reason = match info.load.as_str() {
                "loaded" => "it is built into softbootd".to_owned(),
                load => format!("it is {}", clean(load)),
            };
            session.out.complain(&format!("{unit} has no file: {reason}"));
            return Ok(exit::FAILURE);
        }
        let mut code = exit::OK;
        for path in detail.fragment.iter().chain(&detail.drop_ins) {
            match fs::read(path) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    let gap = if first { "" } else { "\n" };
                    let heading = session.out.tone(Tone::Faint, &format!("# {}", clean(path)));
                    let lines: String = text
                        .lines()
                        .map(|line| format!("{}\n", clean_line(line)))
                        .collect();
                    session.out.print(&format!("{gap}{heading}\n{lines}"))?;
                    first = false;
                }
                Err(error) => {
                    session
                        .out
                        .complain(&format!("cannot read {}: {error}", clean(path)));
                    code = exit::FAILURE;
                }
            }
        }
        Ok(code)
    })
}
