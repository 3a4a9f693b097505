//! A batch as it comes over the line: nothing is unpacked before its sizes and its signature were looked
//! at.

use domain::limits;
use proto::convert;
use proto::status::CallRefused;
use proto::wire::sync as wire;
use store::hub::Node;
use transport::sign::{Context, VerifyingKey};

use super::Pushed;
use crate::error::HubError;

/// Checks a batch's sizes before it is unpacked, and its signature before it is stored.
///
/// # Errors
/// What does not fit: nothing of it is kept then.
pub fn read_push(node: &Node, push: wire::PushRequest) -> Result<Pushed, HubError> {
    let wire::PushRequest {
        incarnation: _,
        epoch,
        first_sequence,
        count,
        raw_bytes,
        batch,
        chain,
        signature,
    } = push;
    if batch.len() > limits::BATCH_COMPRESSED_BYTES_MAX {
        return Err(convert::Invalid::TooLarge("batch").into());
    }
    let chain = convert::thirty_two(&chain, "chain")?;
    let text = convert::batch_signature_text(node.id, epoch, first_sequence, count, &chain);
    VerifyingKey(node.verifying_key)
        .verify(Context::Batch, &text, &signature)
        .map_err(|_| CallRefused::BadSignature)?;
    let changes = convert::decode_batch(&batch, raw_bytes, limits::BATCH_CHANGES_MAX)?;
    if changes.is_empty() || changes.len() != count as usize || first_sequence == 0 {
        return Err(convert::Invalid::Value("count").into());
    }
    if first_sequence
        .checked_add(u64::from(count))
        .is_none_or(|end| end > i64::MAX as u64)
    {
        return Err(convert::Invalid::Value("first_sequence").into());
    }
    Ok(Pushed {
        epoch,
        first: first_sequence,
        raw_bytes,
        bytes: batch.to_vec(),
        changes,
        chain,
        signature: signature.to_vec(),
    })
}
