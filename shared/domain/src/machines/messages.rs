//! The texts of refusals that belong to no machine, and the tables of those that do.

/// Organisations (`domain.md` 7.2).
pub const ORGANISATION: &[(&str, &str, &str)] = &[
    (
        "ORG-001",
        "{org} 尚有 {n} 名党员、{m} 件未办结转接,不能撤销。",
        "{org} still has {n} members and {m} open transfers and cannot be abolished.",
    ),
    (
        "ORG-002",
        "上级组织不能是自身或下级。",
        "An organisation cannot stand above itself or under one of its own.",
    ),
    (
        "ORG-003",
        "延期换届不得超过一年且须上级批复文号。",
        "A term is extended by at most a year, with the number of the superior's approval.",
    ),
    (
        "ORG-004",
        "合并须指明承继组织;承继组织须为另一个正常的组织,且不在其下级。",
        "A merger names the successor: another active organisation that does not stand below this one.",
    ),
    (
        "ORG-005",
        "{org} 尚有下级组织,请先调整其上级或一并撤销。",
        "{org} still has organisations below it; move them or give them up first.",
    ),
    (
        "ORG-006",
        "{org} 已撤销或合并,党员的组织关系不能再落在该组织;请在承继组织或其他正常的组织办理。",
        "{org} was merged or given up and cannot hold a member's relation any more; \
         take it to its successor or to another active organisation.",
    ),
];

/// Why a change was set aside, whatever kind of record it is about (`sync.md` 3 and 6).
pub const CHANGES: &[(&str, &str, &str)] = &[
    (
        "by_steps_only",
        "这一项只能通过办理步骤变更,不能直接填写。",
        "This field changes by steps only; take the step instead.",
    ),
    (
        "choice_missing",
        "请选择保留哪一个内容。",
        "Say which value is to be kept.",
    ),
    (
        "choice_unknown",
        "无法识别所选的处理方式,请升级程序后重试。",
        "This choice is not known here; update the program and choose again.",
    ),
    (
        "class_wrong",
        "记录类别与种类不符,请联系技术人员。",
        "The record's class does not belong to its kind; call support.",
    ),
    (
        "deleted",
        "该记录已被删除;如需修改,请先恢复该记录。",
        "The record was deleted; restore it first, then change it.",
    ),
    (
        "claim_rate",
        "该社区短时间内录入了许多其他社区已有的证件号码,请核实原因。",
        "An office has entered many ID numbers that other offices have; find out why.",
    ),
    (
        "desk_only",
        "两名党员的组织关系均在册,只能由中心合并;请联系中心。",
        "Both members are held; only the hub's desk may merge them. Call the hub.",
    ),
    (
        "event_unknown",
        "该对象没有这一办理步骤。",
        "There is no such step for this record.",
    ),
    (
        "exists",
        "已有同一编号而内容不同的记录;请另建一条。",
        "A record with this id and other content is there already; enter it as a new one.",
    ),
    (
        "field_unknown",
        "中心不认识这一项,请待中心升级后重报。",
        "The hub does not know this field; report it again when the hub is updated.",
    ),
    (
        "group_broken",
        "一组修改不完整,未予采用。",
        "A group of changes that is not whole; none of it was applied.",
    ),
    (
        "group_part_refused",
        "同组修改中有一条不能采用,全组暂存;请更正后整组重报。",
        "One change of the group cannot be applied, so none was; mend it and enter the group again.",
    ),
    (
        "hub_recovering",
        "中心刚从备份恢复,等待有关组织上报后自动处理;无需重报。",
        "The hub was restored; it is decided when the offices concerned have reported.",
    ),
    (
        "hub_only",
        "这类记录只能由中心维护;请联系中心修改。",
        "Only the hub keeps records of this kind; ask the hub to change it.",
    ),
    (
        "immutable",
        "流水记录不能修改;请另记一条更正。",
        "An entry cannot be changed; make a new one that corrects it.",
    ),
    (
        "item_broken",
        "该事项的内容已损坏,请联系技术人员。",
        "The item cannot be read; call support.",
    ),
    (
        "keep_the_held_one",
        "请保留组织关系在册的那名党员,把另一名并入。",
        "Keep the member who is held and merge the other into him.",
    ),
    (
        "kind_unknown",
        "中心尚不认识这类记录,已原样保存。",
        "The hub does not know this kind yet; what you entered is kept as it is.",
    ),
    (
        "kind_wrong",
        "该操作不适用于这类记录。",
        "This cannot be done with a record of this kind.",
    ),
    (
        "late_edit",
        "组织关系已转出,您的修改已转给现组织参考。",
        "The relation has moved on; your edit was put before the present holder.",
    ),
    (
        "merged",
        "该记录已并入另一条记录;请在保留的那条上修改,或先撤销合并。",
        "This record was merged into another; change that one, or take the merge back first.",
    ),
    (
        "merged_further",
        "保留的记录又已并入另一条;请先撤销后一次合并。",
        "The record that was kept has been merged on; take that merge back first.",
    ),
    (
        "no_machine",
        "这类记录没有办理步骤。",
        "Records of this kind have no steps.",
    ),
    (
        "no_open_tenure",
        "该党员当前没有在册的组织关系。",
        "No organisation holds this member now.",
    ),
    (
        "effect_of_a_status",
        "程序内部规则有误,此步骤未办理;请联系技术人员。",
        "The program's own rules disagree, so the step was not taken; call support.",
    ),
    (
        "not_holder",
        "该党员的组织关系不在本组织,不能修改。",
        "The member's relation is with another organisation.",
    ),
    (
        "not_mergeable",
        "这类记录不能合并。",
        "Records of this kind cannot be merged.",
    ),
    (
        "not_yours",
        "该记录属于其他社区,本社区不能修改。",
        "The record is another office's.",
    ),
    (
        "office_needed",
        "党员须由社区登记,中心不能直接登记。",
        "A member is registered by an office, not at the desk.",
    ),
    (
        "offices_differ",
        "两条记录属于不同社区,互不可见,不能合并;可合并党员登记。",
        "The records are two offices' own and cannot be merged; merge the members instead.",
    ),
    ("reason_missing", "请填写原因。", "Give the reason."),
    (
        "purged",
        "该编号的记录已删除并清除,编号不再使用;请另建一条。",
        "The record was deleted and removed for good; its id is not used again. Enter a new one.",
    ),
    (
        "record_too_large",
        "内容过长,请缩短后重报。",
        "The record is too long; shorten it and enter it again.",
    ),
    (
        "settled_already",
        "此事项已按另一内容处理;您的选择已记入说明。",
        "The item was settled with another value; yours is kept as a note.",
    ),
    (
        "stands_on_set_aside",
        "它依据的上一条修改未被采用。",
        "It stands on a change that was not applied.",
    ),
    (
        "state_not_a_beginning",
        "新记录不能从这一状态开始。",
        "A new record cannot begin in this state.",
    ),
    (
        "subject_gone",
        "所办事项的对象已不存在。",
        "What the step is about is no longer there.",
    ),
    (
        "unreadable",
        "内容无法读取,已原样保存;请联系技术人员。",
        "It cannot be read and is kept as it came; call support.",
    ),
    (
        "value_invalid",
        "有一项的内容不符合格式;请更正后重报。",
        "A value is not of its field's form; mend it and enter it again.",
    ),
    (
        "value_missing",
        "缺少必填项;请补填后重报。",
        "A field that is needed is empty; fill it in and enter it again.",
    ),
    (
        "waiting",
        "所涉记录尚未到达,收到后自动处理。",
        "It names a record that has not come yet; it is decided when it comes.",
    ),
];

/// Every table of texts.
pub fn tables() -> impl Iterator<Item = &'static [(&'static str, &'static str, &'static str)]> {
    [
        super::transfer::MESSAGES,
        super::letter::MESSAGES,
        super::member_status::MESSAGES,
        super::participation::MESSAGES,
        super::activity::MESSAGES,
        ORGANISATION,
        CHANGES,
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    /// The code that every refusal of the decisions bears, as the sources name it.
    fn codes_in(source: &str) -> impl Iterator<Item = &str> {
        ["Refused(\"", "SetAside(\""]
            .into_iter()
            .flat_map(|word| source.split(word).skip(1))
            .filter_map(|rest| rest.split_once("\")"))
            .map(|(code, _)| code)
            .filter(|code| !code.contains(|c: char| c == '{' || c.is_whitespace()))
    }

    #[test]
    fn every_code_of_the_decisions_has_a_text_in_both_languages() {
        let sources = [
            include_str!("../decide.rs"),
            include_str!("../decide/begin.rs"),
            include_str!("../decide/create.rs"),
            include_str!("../decide/half_moved.rs"),
            include_str!("../decide/held.rs"),
            include_str!("../decide/item.rs"),
            include_str!("../decide/life.rs"),
            include_str!("../decide/merge.rs"),
            include_str!("../decide/organisation.rs"),
            include_str!("../decide/rewritten.rs"),
            include_str!("../decide/set.rs"),
            include_str!("../decide/settle.rs"),
            include_str!("../decide/step.rs"),
            include_str!("../decide/transfer.rs"),
            include_str!("../decide/transfer/batch.rs"),
            include_str!("../decide/transfer/letters.rs"),
            include_str!("../decide/transfer/moving.rs"),
            include_str!("../decide/transfer/revoking.rs"),
        ];
        let mut count = 0;
        for code in sources.into_iter().flat_map(codes_in) {
            count += 1;
            let text = crate::machines::messages(code);
            assert!(
                text.is_some_and(|(zh, en)| !zh.is_empty() && !en.is_empty()),
                "no text for {code}"
            );
        }
        assert!(count > 50, "the sources were read: {count}");
    }
}
