//! The texts of a transfer's refusals. `TRF-001` to `TRF-011` are those of `domain.md` 1.8; the
//! others name what its guards ask for without a code.

/// Code, Chinese and English, with places in braces for the page to fill.
pub const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "TRF-001",
        "该党员已有一件未办结的转接(编号 {no},当前:{state},在 {org}),不能重复发起。",
        "This member already has an open transfer (number {no}, now {state}, at {org}); \
         a second one cannot be started.",
    ),
    (
        "TRF-002",
        "{org} 不具备审批预备党员权限,不能开具介绍信,请提交 {parent} 审批。",
        "{org} may not admit members and so cannot issue letters; pass the case to {parent}.",
    ),
    (
        "TRF-003",
        "介绍信 {no} 已于 {date} 过期,请由开具单位查明原因后重新开具。",
        "Letter {no} expired on {date}; its issuer must find out why and issue it anew.",
    ),
    (
        "TRF-004",
        "介绍信 {no} 已作废(原因:{reason},替代编号:{new}),不得接收。",
        "Letter {no} is void (reason: {reason}, replaced by {new}) and may not be received.",
    ),
    (
        "TRF-005",
        "该同志预备期已于 {date} 届满,尚未讨论转正,请原党组织先办理。",
        "Probation ended on {date} and conversion was not decided; \
         the present organisation must decide first.",
    ),
    (
        "TRF-006",
        "退回须填写原因代码和说明;“今年不接收”“无房产”等不属于可用的退回原因。",
        "Returning needs a reason from the list, an explanation and the approver; \
         “no more this year” or “owns no property here” are no reasons.",
    ),
    (
        "TRF-007",
        "抬头(有权接收的党组织)与去向(具体单位)不能相同或为空。",
        "Addressee (the organisation with power to receive) and destination (the unit) \
         must both be given and differ.",
    ),
    (
        "TRF-008",
        "党费交至月份 {ym} 晚于本月或早于上次登记的 {last},请核对。",
        "Dues paid to {ym} is later than this month or earlier than {last} registered before; \
         please check.",
    ),
    (
        "TRF-009",
        "本机离线:接收意见已保存,待与市(区)中心同步确认后生效;确认前由 {origin} 继续负责。",
        "Offline: the acceptance is saved and takes effect once the city has confirmed it; \
         until then {origin} stays responsible.",
    ),
    (
        "TRF-010",
        "{member} 已于 {time} 由 {org} 接收,本次接收未生效,已转为待核实。",
        "{member} was received by {org} at {time}; this step had no effect and is to be verified.",
    ),
    (
        "TRF-011",
        "当前状态为 {state},不能执行“{event}”;可执行:{allowed}。",
        "The case is in state {state}; “{event}” is not possible. Possible: {allowed}.",
    ),
    (
        "TRF-012",
        "{member} 的组织关系不在 {org} 或党籍状态不是正常,不能发起转接。",
        "{org} does not hold {member}'s relation, or the Party status does not allow a transfer.",
    ),
    (
        "TRF-013",
        "“{event}”须填写原因或依据({field})。",
        "“{event}” needs its reason or grounds ({field}).",
    ),
    (
        "TRF-014",
        "开具介绍信须有编号和有效天数(1至90天)。",
        "A letter needs a number and between 1 and 90 valid days.",
    ),
    (
        "TRF-015",
        "{org} 有权直接审批该转接,无需上报。",
        "{org} may approve this transfer itself; it need not be passed up.",
    ),
    (
        "TRF-016",
        "“{event}”须填写决定文号和日期。",
        "“{event}” needs the number and date of the decision.",
    ),
    (
        "TRF-017",
        "请选择本组织下的有效党支部;所选支部不属于接收组织或已撤销。",
        "Choose an active branch of the receiver; the chosen one is not, or was abolished.",
    ),
    (
        "TRF-018",
        "录入介绍信须填写姓名和原组织。",
        "A letter from outside needs the name and the organisation that it comes from.",
    ),
    (
        "TRF-019",
        "{member} 在这次接收之后组织关系又有变动(已再转出、已终止或支部已调整),不能撤销;请先办理其后的一件。",
        "{member} has moved on since this transfer, or is a member no more, so it cannot be revoked; \
         deal with what came later first.",
    ),
    (
        "TRF-020",
        "重新开具的介绍信须有新的编号和有效期,且有效期未过;仍逾期的请按“介绍信已过期”退回原开具单位。",
        "A letter issued anew needs a number of its own and a last valid day that has not passed; \
         return one that has expired to its issuer for that reason.",
    ),
    (
        "TRF-021",
        "本件所涉组织均在,无须改由承继组织办理。",
        "Every organisation of this case is there; no successor takes it over.",
    ),
    (
        "TRF-022",
        "{org} 不能整建制转入 {to}:两个组织均须正常,不能是自身、下级或原上级,党小组随支部转接,\
         且接收组织须有社区办公点;原上级已变动的请重新发起。",
        "{org} cannot move to {to}: both must be active, the new superior is another than before and \
         not below it, groups move with their branch, and there must be an office to receive the \
         members; where the superior has changed since, start anew.",
    ),
    (
        "TRF-023",
        "一次整建制转接的人数或下级组织数超过上限,请按下级支部分批办理。",
        "More members or organisations than one decision takes; move the branches one by one.",
    ),
    (
        "TRF-024",
        "发起转接须选择转接方式:同一党委内、省内、跨省或线下转出;线下转入请录入介绍信,整建制转接请另行发起。",
        "Say in which way the member moves: inside one committee, in the province, across provinces or \
         out by a paper letter. One that came in is entered as a letter; a whole organisation has a \
         transfer of its own.",
    ),
];
