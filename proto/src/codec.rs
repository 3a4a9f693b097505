//! Protobuf messages whose fields are counted before they are decoded: two bytes on the wire can become
//! a hundred in memory, so a limit of bytes alone bounds neither memory nor time (ADR 0025).

use std::marker::PhantomData;

use domain::limits;
use prost::bytes::Buf as _;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use crate::convert::{Invalid, count_fields};
use crate::status::CallRefused;

/// Top-level fields of one message: more than any needs, with room for what a newer program adds.
const FIELDS_MAX: usize = 2 * limits::BATCH_CHANGES_MAX;

/// As `tonic_prost::ProstCodec`, and bounded.
#[derive(Debug, Clone)]
pub struct BoundedCodec<T, U> {
    of: PhantomData<(T, U)>,
}

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self { of: PhantomData }
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: prost::Message + Send + 'static,
    U: prost::Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder { of: PhantomData }
    }
}

/// Counts, then decodes.
#[derive(Debug, Clone)]
pub struct BoundedDecoder<U> {
    of: PhantomData<U>,
}

impl<U: prost::Message + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        count_fields(&bytes, FIELDS_MAX, "fields of a message")
            .and_then(|()| U::decode(bytes.clone()).map_err(|_| Invalid::Malformed("message")))
            .map(Some)
            .map_err(|why| CallRefused::from(why).into())
    }
}
