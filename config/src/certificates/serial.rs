//! Serial numbers of certificates and the file `ca.srl` (operations.md §3.2).

use super::CertificateError;

/// A positive number of at most 159 bits, so that it never needs more than the 20 bytes RFC 5280 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Serial([u8; 20]);

impl Serial {
    /// A random serial number.
    pub(super) fn random() -> Result<Self, CertificateError> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes)?;
        bytes[0] &= 0x7f;
        bytes[19] |= 1;
        Ok(Self(bytes))
    }

    /// Reads the hexadecimal line of `ca.srl`.
    pub(super) fn from_line(line: &str) -> Option<Self> {
        let digits = line.trim();
        let padded = format!("{digits:0>40}");
        let mut bytes = [0; 20];
        hex::decode_to_slice(&padded, &mut bytes).ok()?;
        (!digits.is_empty() && bytes[0] < 0x80).then_some(Self(bytes))
    }

    /// The line of `ca.srl`, as OpenSSL writes it.
    pub(super) fn to_line(self) -> String {
        hex::encode_upper(self.as_bytes()) + "\n"
    }

    /// The number plus one; `None` after the last one.
    pub(super) fn next(self) -> Option<Self> {
        let mut bytes = self.0;
        for byte in bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        (bytes[0] < 0x80).then_some(Self(bytes))
    }

    /// Big-endian, without leading zero bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        &self.0[zeros.min(19)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip_and_count_up() {
        for (line, next) in [
            ("15C4D0EC7E11957B6C3451BF379DB024D1CFADE4\n", "15C4D0EC7E11957B6C3451BF379DB024D1CFADE5\n"),
            ("0F", "10\n"),
            ("ff\r\n", "0100\n"),
            ("1", "02\n"),
        ] {
            assert_eq!(Serial::from_line(line).unwrap().next().unwrap().to_line(), next);
        }
        let last = "7F".to_owned() + &"FF".repeat(19) + "\n";
        assert_eq!(Serial::from_line(&last).unwrap().to_line(), last);
        assert_eq!(Serial::from_line(&last).unwrap().next(), None);
    }

    #[test]
    fn other_lines_are_refused() {
        for line in ["", " \n", "xyz", "12 34", "-1", &"80".repeat(20), &"1".repeat(42)] {
            assert_eq!(Serial::from_line(line), None, "{line}");
        }
    }

    #[test]
    fn random_numbers_are_positive_and_differ() {
        let (one, two) = (Serial::random().unwrap(), Serial::random().unwrap());
        assert!(one != two && one.0[0] < 0x80);
    }
}
