//! Numbers of 1 to 10 bytes: seven bits a byte, the lowest first, the top bit set where another byte follows.

/// Appends a number.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number from the front. `None` leaves the bytes as they are: there are too few, or it is no number of 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        if index == 9 && part > 1 {
            return None;
        }
        value |= part << (7 * index);
        if byte < 0x80 {
            *bytes = bytes.get(index + 1..)?;
            return Some(value);
        }
    }
    None
}

/// Appends the difference `to - from` of two numbers, small for a small difference in either direction.
pub(super) fn put_step(bytes: &mut Vec<u8>, from: u64, to: u64) {
    let step = to.wrapping_sub(from) as i64;
    put(bytes, ((step << 1) ^ (step >> 63)) as u64);
}

/// Takes a difference, and adds it to `from`.
pub(super) fn take_step(bytes: &mut &[u8], from: u64) -> Option<u64> {
    let folded = take(bytes)?;
    let step = (folded >> 1) ^ (folded & 1).wrapping_neg();
    Some(from.wrapping_add(step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_put_is_taken(values in proptest::collection::vec(any::<(u64, u64)>(), 0..20)) {
            let mut bytes = Vec::new();
            for &(from, to) in &values {
                put(&mut bytes, from);
                put_step(&mut bytes, from, to);
            }
            let mut rest = bytes.as_slice();
            for &(from, to) in &values {
                prop_assert_eq!(take(&mut rest), Some(from));
                prop_assert_eq!(take_step(&mut rest, from), Some(to));
            }
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_small_step_is_one_byte_in_either_direction() {
        for to in [937, 1000, 1063] {
            let mut bytes = Vec::new();
            put_step(&mut bytes, 1000, to);
            assert_eq!(bytes.len(), 1, "{to}");
        }
    }

    #[test]
    fn what_is_cut_or_too_long_is_no_number() {
        assert_eq!(take(&mut [0x80].as_slice()), None);
        assert_eq!(take(&mut [0xff; 11].as_slice()), None);
        assert_eq!(
            take(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02].as_slice()),
            None
        );
    }
}
