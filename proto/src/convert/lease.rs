//! Blocks of letter numbers.

use domain::id::RecordId;
use domain::lease::Block;
use domain::limits;
use prost::bytes::Bytes;

use super::{Invalid, sixteen};
use crate::wire::sync as wire;

/// Reads the blocks of a greeting or of its answer.
///
/// # Errors
/// More than [`limits::LEASES_MAX`]; an issuer that is not sixteen bytes; a year, or bounds, that no
/// block has.
pub fn decode_leases(leases: Vec<wire::Lease>) -> Result<Vec<Block>, Invalid> {
    if leases.len() > limits::LEASES_MAX {
        return Err(Invalid::TooLarge("leases"));
    }
    leases.into_iter().map(decode).collect()
}

fn decode(lease: wire::Lease) -> Result<Block, Invalid> {
    let wire::Lease {
        year,
        first,
        end,
        next,
        issuer,
    } = lease;
    let block = Block {
        issuer: RecordId::new(sixteen(&issuer, "leases.issuer")?),
        year: u16::try_from(year).map_err(|_| Invalid::Value("leases.year"))?,
        first,
        end,
        next,
    };
    if block.is_sound() {
        Ok(block)
    } else {
        Err(Invalid::Value("leases"))
    }
}

/// Writes a block.
pub fn encode_lease(block: &Block) -> wire::Lease {
    wire::Lease {
        year: u32::from(block.year),
        first: block.first,
        end: block.end,
        next: block.next,
        issuer: Bytes::copy_from_slice(&block.issuer.bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> wire::Lease {
        wire::Lease {
            year: 2026,
            first: 1,
            end: 101,
            next: 40,
            issuer: Bytes::from_static(&[7; 16]),
        }
    }

    #[test]
    fn a_block_comes_back_as_it_went() {
        let blocks = decode_leases(vec![lease()]);
        assert_eq!(blocks.as_ref().map(Vec::len), Ok(1));
        let again: Vec<_> = blocks.iter().flatten().map(encode_lease).collect();
        assert_eq!(again, [lease()]);
    }

    #[test]
    fn blocks_that_cannot_be_are_refused_with_the_field() {
        let bad = |lease| decode_leases(vec![lease]).err();
        let short = Bytes::from_static(&[7; 15]);
        let (issuer, year) = (
            wire::Lease {
                issuer: short,
                ..lease()
            },
            wire::Lease {
                year: 70_000,
                ..lease()
            },
        );
        assert_eq!(bad(issuer), Some(Invalid::Length("leases.issuer")));
        assert_eq!(bad(year), Some(Invalid::Value("leases.year")));
        for (first, end, next) in [
            (0, 10, 1),
            (5, 5, 5),
            (1, 102, 1),
            (1, 101, 102),
            (9, 20, 8),
            // Behind the greatest number of a letter.
            (999_999_950, 1_000_000_001, 999_999_950),
            (u32::MAX - 100, u32::MAX, u32::MAX),
        ] {
            let lease = wire::Lease {
                first,
                end,
                next,
                ..lease()
            };
            assert_eq!(bad(lease), Some(Invalid::Value("leases")));
        }
        let many = vec![lease(); limits::LEASES_MAX + 1];
        assert_eq!(decode_leases(many), Err(Invalid::TooLarge("leases")));
    }
}
