//! Code lists of our own records: variants and causes of cases, and the states of each machine.
//! Lists about the world (sex, education, reasons for returning a letter) are in
//! [`crate::checks::code_lists`].
//!
//! A code once released is never used for something else.

use crate::checks::code_lists::{Code, CodeList, OWN};
use crate::machine::State;
use crate::machines::{activity, letter, member_status, participation, transfer};

/// One list: its constant, its name, and a line for each code with its labels and synonyms.
macro_rules! lists {
    ($(
        $(#[$doc:meta])+
        $konst:ident = $name:literal {
            $( $code:literal, $zh:literal, $en:literal $(, $synonym:literal)*; )+
        }
    )+) => {
        $(
            $(#[$doc])+
            pub const $konst: CodeList = CodeList {
                name: $name,
                standard: OWN,
                entries: &[$( Code::new($code, $zh, $en, &[$($synonym),*]) ),+],
            };
        )+
        const OF_RECORDS: &[&CodeList] = &[$( &$konst ),+];
    };
}

lists! {
    /// Which paper an ID number was taken from (证件类型).
    ID_TYPE = "id_type" {
        "resident", "居民身份证", "Resident identity card", "身份证";
        "residence_permit", "港澳台居民居住证", "Residence permit", "居住证";
        "passport", "护照", "Passport";
        "officer", "军官证", "Officer's card", "军人证";
        "other", "其他", "Other", "其它";
    }
    /// Where the ID data were taken from, the better first (`sync.md` 3, rule 3).
    ID_SOURCE = "id_source" {
        "id_card", "身份证件", "Identity card", "身份证";
        "file", "人事档案", "Personnel file", "档案";
        "spoken", "口头", "Spoken", "本人口述";
    }
    /// State of an organisation; an abolished or merged one keeps its history.
    ORGANISATION_STATE = "organisation_state" {
        "active", "正常", "Active", "在用";
        "abolished", "已撤销", "Abolished", "撤销";
        "merged", "已合并", "Merged", "合并";
    }
    /// How a member's relation came to the office (`domain.md` 2.1).
    RELATION_IN_TYPE = "relation_in_type" {
        "admitted", "新发展", "Newly admitted", "新发展党员";
        "same_committee", "同一党委内转入", "From within the committee";
        "in_province", "省内转入", "From the same province";
        "cross_province", "省外转入", "From another province";
        "offline", "线下转入", "By a paper letter", "非建库党员转入";
        "whole_organisation", "整建制转入", "With the whole organisation", "整建制";
        "readmitted", "重新入党", "Admitted again";
        "restored", "恢复党籍", "Membership restored";
        "registered", "补录", "Registered later";
    }
    /// Why a Party status changed: the sub-kinds of stopping and leaving (`domain.md` 2.3).
    STATUS_REASON = "status_reason" {
        "settled_abroad", "出国(境)定居", "Settled abroad", "出国定居";
        "abroad_five_years", "出国(境)超过五年", "Abroad for more than five years";
        "lost_contact", "失去联系", "Contact lost", "失联";
        "withdrew", "退党", "Withdrew";
        "persuaded_out", "劝退", "Persuaded out", "劝退除名";
        "removed", "除名", "Removed";
        "self_left", "自行脱党除名", "Left of their own accord", "自行脱党";
        "expelled", "开除党籍", "Expelled", "开除";
        "not_fit", "不具备党员条件", "Not fit for conversion";
        "other", "其他", "Other", "其它";
    }
    /// What opens or closes a tenure (`sync.md` 5), nothing else does.
    TENURE_EVENT = "tenure_event" {
        "registration", "登记", "Registration";
        "admission", "接收为党员", "Admission";
        "acceptance", "接收", "Acceptance";
        "acceptance_offline", "线下接收", "Acceptance of a paper letter";
        "acceptance_external", "系统外接收", "Acceptance elsewhere confirmed";
        "internal_move", "内部调整", "Internal move";
        "whole_organisation", "整建制转接", "Whole organisation";
        "revocation", "撤销", "Revocation";
        "merge", "合并重复登记", "Merge of members";
        "unmerge", "撤销合并", "Merge taken back";
        "death", "去世", "Death";
        "left", "出党", "Left";
        "removed", "除名", "Removed";
        "cancelled", "取消预备党员资格", "Probation cancelled";
        "stopped", "停止党籍", "Stopped";
        "restored", "恢复党籍", "Restored";
        "readmission", "重新入党", "Re-admission";
    }
    /// The ways in which a relation moves (`domain.md` 1.8, data items and variants).
    TRANSFER_VARIANT = "transfer_variant" {
        "internal", "同一党委内", "Inside one committee", "内部转接";
        "in_province", "省内转接", "In the province", "省内";
        "cross_province", "跨省转接", "Across provinces", "跨省";
        "offline_in", "线下转入", "In by a paper letter", "非建库党员转入";
        "offline_out", "线下转出", "Out by a paper letter";
        "whole_organisation", "整建制转接", "Whole organisation", "整建制";
    }
    /// How the member's file travels (`domain.md` 1.8).
    FILE_SENT = "file_sent" {
        "confidential_post", "机要", "Confidential post", "机要传递";
        "sealed", "随身密封", "Sealed, with the member", "密封自带";
        "at_receiver", "已在接收地", "Already at the receiver";
        "not_sent", "未转递", "Not sent";
    }
    /// Why a receiver asks for more before it accepts (暂缓接收; `domain.md` 1.4).
    HOLD_REASON = "hold_reason" {
        "file_incomplete", "档案材料不全", "File incomplete", "材料不全";
        "file_in_doubt", "档案存疑", "File in doubt";
        "identity_unclear", "党员身份存疑", "Membership in doubt", "身份存疑";
        "residence_proof", "居住或就业情况待核实", "Residence or work to be verified";
        "dues_unclear", "党费交纳情况待核实", "Dues to be verified";
        "other", "其他", "Other", "其它";
    }
    /// Who caused a letter to expire (`domain.md` 1.4 and 1.8, row EXPIRED / reissue).
    EXPIRY_CAUSE = "expiry_cause" {
        "member", "党员本人原因", "The member";
        "clerk", "经办人原因", "A clerk";
        "other", "其他原因", "Other", "其他";
    }
    /// How a receipt came (`domain.md` 1.8).
    RECEIPT_HOW = "receipt_how" {
        "online", "线上", "Online", "系统";
        "post", "邮寄", "By post";
        "fax", "传真", "By fax";
        "hand", "当面", "By hand", "自带";
    }
    /// How a volunteer consented (`domain.md` 5.5).
    CONSENT_HOW = "consent_how" {
        "written", "书面", "In writing";
        "online", "线上", "Online";
        "spoken", "口头", "Spoken";
    }
    /// Whether a volunteer still serves.
    VOLUNTEER_STATE = "volunteer_state" {
        "active", "在册", "Active", "正常";
        "ended", "已退出", "Left", "退出";
    }
    /// Evaluation of a service (Order 67 of 2020, art. 10).
    GRADE = "grade" {
        "excellent", "优秀", "Excellent";
        "good", "良好", "Good";
        "fair", "合格", "Fair", "一般";
        "poor", "不合格", "Poor", "较差";
    }
    /// Why a conflict item exists (`sync.md` 3).
    CONFLICT_REASON = "conflict_reason" {
        "concurrent", "两处同时修改", "Changed in two places";
        "delete_requested", "要求删除", "Deletion requested";
        "suspect_clock", "时钟不可靠", "Suspect clock";
        "late_edit", "原组织迟到的修改", "Late edit of a former holder";
        "duplicate", "疑似重复", "Possible duplicate";
    }
    /// State of a conflict item.
    CONFLICT_STATE = "conflict_state" {
        "open", "待处理", "Open";
        "settled", "已处理", "Settled";
        "dismissed", "已忽略", "Dismissed";
        "superseded", "已被替代", "Superseded";
    }
    /// Which value stands after settling.
    CONFLICT_CHOICE = "conflict_choice" {
        "winner", "保留现用内容", "Keep the winner";
        "loser", "改用另一内容", "Take the other";
        "value", "另行填写", "Take another value";
        "both", "两者并存", "Keep both";
    }
    /// Whether a merge stands.
    MERGE_STATE = "merge_state" {
        "merged", "已合并", "Merged";
        "undone", "已撤销", "Taken back";
    }
    /// State of a change that was set aside.
    SET_ASIDE_STATE = "set_aside_state" {
        "held", "待处理", "Held";
        "waiting", "等待所涉记录", "Waiting for a record";
        "forwarded", "已转交", "Forwarded";
        "fixed", "已更正", "Fixed";
        "rejected", "已退回", "Rejected";
    }
    /// What a change does to its record ([`crate::change::Verb`]).
    VERB = "verb" {
        "create", "新增", "Create";
        "set", "修改", "Set";
        "delete", "删除", "Delete";
        "restore", "恢复", "Restore";
        "step", "办理", "Step";
        "merge", "合并", "Merge";
        "unmerge", "取消合并", "Unmerge";
    }
}

/// The states of a member's Party status.
pub const MEMBER_STATUS: CodeList = states("member_status", &OF_MEMBER);
/// The states of a transfer.
pub const TRANSFER_STATE: CodeList = states("transfer_state", &OF_TRANSFER);
/// The states of a letter.
pub const LETTER_STATE: CodeList = states("letter_state", &OF_LETTER);
/// The states of an activity.
pub const ACTIVITY_STATE: CodeList = states("activity_state", &OF_ACTIVITY);
/// The states of a participation entry.
pub const PARTICIPATION_STATE: CodeList = states("participation_state", &OF_PARTICIPATION);

const OF_MEMBER: [Code; member_status::STATES.len()] = codes(member_status::STATES);
const OF_TRANSFER: [Code; transfer::STATES.len()] = codes(transfer::STATES);
const OF_LETTER: [Code; letter::STATES.len()] = codes(letter::STATES);
const OF_ACTIVITY: [Code; activity::STATES.len()] = codes(activity::STATES);
const OF_PARTICIPATION: [Code; participation::STATES.len()] = codes(participation::STATES);

const OF_MACHINES: &[&CodeList] = &[
    &MEMBER_STATUS,
    &TRANSFER_STATE,
    &LETTER_STATE,
    &ACTIVITY_STATE,
    &PARTICIPATION_STATE,
];

/// Every list declared here.
pub fn all() -> impl Iterator<Item = &'static CodeList> {
    OF_RECORDS.iter().chain(OF_MACHINES).copied()
}

const fn states(name: &'static str, entries: &'static [Code]) -> CodeList {
    CodeList {
        name,
        standard: OWN,
        entries,
    }
}

/// A machine's states as codes.
const fn codes<const N: usize>(states: &[State]) -> [Code; N] {
    let mut codes = [Code::new("", "", "", &[]); N];
    let mut at = 0;
    while at < N {
        codes[at] = Code::new(states[at].code, states[at].zh, states[at].en, &[]);
        at += 1;
    }
    codes
}
