//! `list-sockets`.

use softboot_control::api::UnitReply;

use super::{View, count, lists};
use crate::paint::tone_of_active;
use crate::table::{Cell, Column, list};
use crate::text::Cut;

const SOCKETS: [Column; 4] = [
    Column::shrinking("LISTEN", 16, Cut::Middle),
    Column::fixed("TYPE"),
    Column::shrinking("UNIT", 16, Cut::Middle),
    Column::shrinking("ACTIVATES", 16, Cut::Middle),
];

/// A line for each port.
pub(crate) fn sockets(sockets: &[UnitReply], view: View) -> String {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for socket in sockets {
        for port in &socket.detail.listen {
            rows.push(vec![
                Cell::from(&port.address),
                Cell::from(&port.kind),
                Cell::new(&socket.unit.name, tone_of_active(&socket.unit.active)),
                Cell::from(socket.unit.triggers.join(" ")),
            ]);
        }
    }
    if rows.is_empty() {
        return lists::nothing("No sockets.", view);
    }
    list(&SOCKETS, &rows, &count(rows.len(), "port"), view)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{VIEW, survivor};
    use super::*;

    #[test]
    fn each_port_has_a_line() {
        let mut socket = survivor();
        socket.unit.name = "survivor.socket".to_owned();
        socket.unit.triggers = vec!["survivor.service".to_owned()];
        let mut second = socket.detail.listen.clone();
        socket.detail.listen.append(&mut second);
        assert_eq!(
            sockets(&[socket], VIEW),
            "LISTEN      TYPE    UNIT             ACTIVATES\n\
             0.0.0.0:80  stream  survivor.socket  survivor.service\n\
             0.0.0.0:80  stream  survivor.socket  survivor.service\n\
             \n2 ports.\n"
        );
        assert_eq!(sockets(&[], VIEW), "No sockets.\n");
    }
}
