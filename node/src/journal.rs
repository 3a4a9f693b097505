//! Writes the office's own changes: into the journal and the row, in one transaction.

use anyhow::Context as _;
use domain::change::{
    Believed, Body, Change, FieldChange, Hash, Header, Verb, chain_next, chain_start,
};
use domain::id::{ChangeId, RecordId};
use domain::kind::Class;
use domain::kinds::{self, member, step};
use domain::limits;
use domain::record::{Record, RecordKey};
use domain::replay::replay;
use store::Tx;
use store::node::Entry;

use crate::app::Own;
use crate::{clock, fold};

/// Fields by number, canonical bytes.
pub type Values = Vec<(u16, Vec<u8>)>;

/// Writes one change; the record as the office sees it now.
///
/// # Errors
/// A record that is not there, or whose row is not as it was written: to write it anew would make it sound. The store's
/// own.
pub fn write(
    tx: Tx<'_>,
    own: Own,
    (key, verb): (RecordKey, Verb),
    values: Values,
    actor: &str,
) -> anyhow::Result<Record> {
    let own = own.in_store(tx)?;
    let shown = tx.record_as_written(key)?;
    anyhow::ensure!(
        shown.is_some() || matches!(verb, Verb::Create | Verb::Step),
        "no such record 没有这条记录"
    );
    let mut values = match &shown {
        Some(shown) => shown.with_whole_groups(values),
        None => values,
    };
    if let (Verb::Delete, Some(shown)) = (verb, &shown)
        && shown.fields.len() <= limits::CHANGE_FIELDS_MAX
    {
        // A deletion says of every field which version was shown to whoever deletes.
        values = shown
            .fields
            .keys()
            .map(|number| (*number, Vec::new()))
            .collect();
    }
    values.sort_by_key(|(number, _)| *number);
    values.dedup_by_key(|(number, _)| *number);
    let header = header(tx, own.epoch, (key, verb), shown.as_ref(), actor)?;
    let body = Body {
        fields: values
            .into_iter()
            .map(|(number, value)| FieldChange {
                number,
                value,
                base: shown.as_ref().and_then(|record| record.version(number)),
            })
            .collect(),
        seen_revision: shown.as_ref().map_or(0, |record| record.revision),
        life_base: shown.as_ref().map(|record| record.life_version.change),
    };
    append(tx, own, header, body, shown)
}

fn header(
    tx: Tx<'_>,
    epoch: u32,
    (key, verb): (RecordKey, Verb),
    shown: Option<&Record>,
    actor: &str,
) -> anyhow::Result<Header> {
    let (timestamp, clock_suspect) = clock::next(tx, epoch)?;
    let declared = kinds::by_number(key.kind).map(|kind| kind.class);
    let believed = |record: &Record| {
        Some(Believed {
            number: u32::try_from(record.integer(member::TENURE_NUMBER)?).ok()?,
            holder: record.reference(member::HOLDER)?,
        })
    };
    let is_member = key.kind == member::KIND_NUMBER;
    Ok(Header {
        record: key.id,
        kind: key.kind,
        class: shown
            .map(|record| record.class)
            .or(declared)
            .unwrap_or(Class::Shared),
        verb,
        timestamp,
        actor: actor.to_owned(),
        group: None,
        tenure: shown.filter(|_| is_member).and_then(believed),
        clock_suspect,
        replaces: None,
    })
}

/// Appends a change to the journal of an identity that is [the store's](Own::in_store), and applies it to its row.
///
/// # Errors
/// What is too large to be sent; the store's own.
pub fn append(
    tx: Tx<'_>,
    own: Own,
    header: Header,
    body: Body,
    shown: Option<Record>,
) -> anyhow::Result<Record> {
    let key = RecordKey {
        kind: header.kind,
        id: header.record,
    };
    let (last, chain) = head(tx, own)?;
    let sequence = last + 1;
    let raw = proto::convert::encode_change(&header, &body, system::random_16()?);
    let chain = chain_next(&chain, &raw.header, &raw.body_hash());
    let at = header.timestamp;
    let id = ChangeId {
        node: own.node,
        epoch: own.epoch,
        sequence,
    };
    proto::convert::decode_change(id, &raw)
        .context("this cannot be saved: the hub would refuse it 无法保存:中心不会接受这样的内容")?;
    let change = Change { id, header, body };
    if tx.base_image(key)?.is_none() {
        tx.put_base_image(key, shown.as_ref())?;
    }
    tx.append_entry(
        &Entry {
            epoch: own.epoch,
            sequence,
            key,
            raw,
            chain,
        },
        at.unix_ms(),
        at,
    )?;
    let after = replay(shown, &change, own.office).context("no record to change")?;
    tx.write_record(&after)?;
    Ok(after)
}

/// Says that a record is another's twin, or that it is not after all.
///
/// # Errors
/// As [`write`].
pub fn merge(
    tx: Tx<'_>,
    own: Own,
    (key, verb): (RecordKey, Verb),
    fields: Vec<FieldChange>,
    actor: &str,
) -> anyhow::Result<Record> {
    let own = own.in_store(tx)?;
    let twin = tx.record_as_written(key)?;
    let twin = twin.context("no such record 没有这条记录")?;
    let header = header(tx, own.epoch, (key, verb), Some(&twin), actor)?;
    let body = Body {
        fields,
        seen_revision: twin.revision,
        life_base: Some(twin.life_version.change),
    };
    append(tx, own, header, body, Some(twin))
}

/// The own steps on a record that the hub has not decided, by epoch and place: of every epoch, and of the journal that
/// is [the store's](Own::in_store).
///
/// # Errors
/// The store's own; bytes of the own journal that cannot be read: damage.
pub fn pending_steps(tx: Tx<'_>, own: Own, subject: RecordId) -> anyhow::Result<Vec<Change>> {
    let own = own.in_store(tx)?;
    let mut epochs = tx.pending_epochs_but(own.epoch)?;
    epochs.push(own.epoch);
    let mut steps = Vec::new();
    for epoch in epochs {
        let pending = tx.pending_after(epoch, 0, usize::MAX)?.into_iter();
        for entry in pending.filter(|entry| entry.key.kind == step::KIND_NUMBER) {
            let change = fold::read(own, &entry)?;
            if change.value(step::SUBJECT) == Some(&subject.bytes()) {
                steps.push(change);
            }
        }
    }
    Ok(steps)
}

/// The end of the journal: place and chain.
///
/// # Errors
/// The store's own.
pub fn head(tx: Tx<'_>, own: Own) -> anyhow::Result<(u64, Hash)> {
    Ok(tx.last_entry(own.epoch)?.map_or_else(
        || (0, chain_start(own.node, own.epoch)),
        |entry| (entry.sequence, entry.chain),
    ))
}

/// Whether an entry follows on a chain.
pub fn follows(before: &Hash, entry: &Entry) -> bool {
    chain_next(before, &entry.raw.header, &entry.raw.body_hash()) == entry.chain
}

/// Takes a step on a record.
///
/// # Errors
/// The store's own.
pub fn take_step(
    tx: Tx<'_>,
    own: Own,
    subject: RecordKey,
    event: &str,
    args: Values,
    actor: &str,
) -> anyhow::Result<RecordId> {
    let own = own.in_store(tx)?;
    let date = domain::checks::date::china_date_of(system::now_ms().cast_signed()).to_string();
    let mut values = vec![
        (step::SUBJECT_KIND, subject.kind.to_string().into_bytes()),
        (step::SUBJECT, subject.id.bytes().to_vec()),
        (step::EVENT, event.as_bytes().to_vec()),
        (step::DATE, date.into_bytes()),
        (step::RECORDER, actor.as_bytes().to_vec()),
    ];
    // An organisation of the office that it works for, if one is named.
    if args.iter().all(|(number, _)| *number != step::ORGANISATION) {
        values.push((step::ORGANISATION, own.office.bytes().to_vec()));
    }
    values.extend(args);
    let key = RecordKey {
        kind: step::KIND_NUMBER,
        id: system::new_record_id()?,
    };
    write(tx, own, (key, Verb::Step), values, actor)?;
    Ok(key.id)
}
