//! Cursors, as the served hub takes them with Pull.

use anyhow::ensure;
use prost::Message as _;
use prost::bytes::Bytes;
use proto::convert;
use proto::wire::sync as wire;
use tonic::Code;

use super::{note, served};

const PULL: &str = "/lianxin.sync.v1.Sync/Pull";
const CITY: &str = "city";

/// The feeds of the office that calls.
pub(super) fn feeds(known: &served::Known) -> [String; 2] {
    let office = domain::id::OfficeId::new(known.office);
    [CITY.to_owned(), format!("office/{office}")]
}

/// The input is a `PullRequest`.
pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    let known = served::known()?;
    let answer = served::call::<wire::PullRequest>(PULL, input)?;
    let Ok(asked) = wire::PullRequest::decode(input) else {
        return Ok(());
    };
    let feeds = feeds(&known);
    let is_own = asked
        .cursors
        .iter()
        .all(|cursor| feeds.contains(&cursor.feed));
    let is_greeted = asked.incarnation == known.incarnation[..];
    let is_taken = answer.status.code() == Code::Ok;
    ensure!(
        !is_taken || is_own && is_greeted,
        "M1: read what is not its own"
    );
    if !is_own && is_greeted {
        note::met("M1 foreign feeds refused");
    }
    if is_taken {
        let extreme = |cursor: &wire::Cursor| cursor.sequence > i64::MAX as u64;
        if asked.cursors.iter().any(extreme) {
            note::met("D18 extreme cursors answered");
        }
        pages(&asked, &answer.messages)?;
    }
    Ok(())
}

/// The pages go on from each cursor to the head, and never back.
fn pages(asked: &wire::PullRequest, messages: &[Bytes]) -> anyhow::Result<()> {
    for message in messages {
        let page = wire::Page::decode(message.clone())?;
        convert::decode_rows(&page.rows, page.raw_bytes)?;
        let is_asked = asked.cursors.iter().any(|cursor| cursor.feed == page.feed);
        ensure!(is_asked, "M1: a page of {}", page.feed);
        note::met("pages answered");
    }
    let heads = messages.iter().filter_map(|message| {
        let page = wire::Page::decode(message.clone()).ok()?;
        page.digest.is_some().then_some(page.feed)
    });
    let unproven = asked.cursors.iter().filter(|cursor| !cursor.proven);
    ensure!(
        heads.count() >= unproven.count(),
        "S9: a feed was not read to its head"
    );
    Ok(())
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let known = served::known()?;
    let feeds = feeds(&known);
    let mut seeds = Vec::new();
    for sequence in [0, 1, 7, 60, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
        for proven in [false, true] {
            let cursor = |feed: &String| wire::Cursor {
                whole_through: 0,
                feed: feed.clone(),
                sequence,
                proven,
            };
            let request = wire::PullRequest {
                incarnation: Bytes::copy_from_slice(&known.incarnation),
                epoch: 1,
                cursors: feeds.iter().map(cursor).collect(),
                folded_through: sequence,
                erasing: proven,
            };
            seeds.push(request.encode_to_vec());
        }
    }
    let foreign = wire::PullRequest {
        incarnation: Bytes::copy_from_slice(&known.incarnation),
        epoch: 9,
        cursors: vec![wire::Cursor {
            feed: "office/00000000-0000-0000-0000-000000000000".to_owned(),
            ..wire::Cursor::default()
        }],
        ..wire::PullRequest::default()
    };
    seeds.push(foreign.encode_to_vec());
    Ok(seeds)
}
