//! The Chinese sentence for each cause: what happened, where, what to do.

use super::TransportError;

impl TransportError {
    /// One or two Chinese sentences for the person at the screen: what happened, where, and what to
    /// do about it. Contains no key and no secret.
    pub fn text_zh(&self) -> String {
        self.code_zh()
            .or_else(|| self.network_zh())
            .or_else(|| self.file_zh())
            .unwrap_or_else(|| self.trust_zh())
    }

    fn code_zh(&self) -> Option<String> {
        Some(match self {
            Self::CodeCharacter { group, character } => format!(
                "入网码第 {group} 组中的“{character}”不是入网码会用到的字符。请核对这一组后重新输入。"
            ),
            Self::CodeMistyped { group } => {
                format!(
                    "入网码第 {group} 组输入有误。请对照原件核对这一组（是否错字、漏字）后重试。"
                )
            }
            Self::CodeTruncated { missing: 0 } => {
                "入网码不完整。请复制整行入网码后重新粘贴。".to_owned()
            }
            Self::CodeTruncated { missing } => {
                format!("入网码不完整，末尾还缺 {missing} 个字符。请复制整行入网码后重新粘贴。")
            }
            Self::CodeTooLong { extra } => {
                format!("入网码后面多出 {extra} 个字符。请只粘贴入网码本身，不要带上其他文字。")
            }
            Self::CodeInconsistent => {
                "入网码各组拼在一起不是一个完整的入网码。请检查各组的顺序，不要混用两个入网码。"
                    .to_owned()
            }
            Self::CodeVersion { found } => format!(
                "这个入网码的版本（{found}）比本程序新。请先把本机程序升级到与中心一致的版本。"
            ),
            Self::CodeExpired { .. } => {
                "入网码已过期。请联系上级中心的管理员重新签发一个入网码。".to_owned()
            }
            Self::NotEnrolled => {
                "本机尚未入网，单机功能可照常使用。如需同步，请输入上级中心签发的入网码。"
                    .to_owned()
            }
            Self::NothingPending { .. } => {
                "当前没有等待中心答复的入网或换证申请。请重新发起一次。".to_owned()
            }
            _ => return None,
        })
    }

    fn network_zh(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { address, .. } => format!(
                "连接不上中心（{address}）。请检查本机网络和中心地址；网络恢复后会自动重试，数据不会丢失。"
            ),
            Self::TimedOut { address, seconds } => format!(
                "中心（{address}）在 {seconds} 秒内没有应答。网络可能较慢，系统会自动重试，无需操作。"
            ),
            Self::NotOurHub { address, .. } => format!(
                "地址 {address} 上应答的不是本单位入网的中心，已停止连接，未发送任何数据。请与上级中心核对地址；如中心刚更换设备，请索取新的入网码。"
            ),
            Self::RefusedByHub { address, .. } => format!(
                "中心（{address}）拒绝了本机的证书。本机可能已被停用，请联系上级中心的管理员。"
            ),
            Self::HandshakeFailed { address, .. } => format!(
                "与中心（{address}）建立加密连接时中断。系统会自动重试；若一直如此，请检查地址端口是否正确、中间是否有代理设备。"
            ),
            _ => return None,
        })
    }

    fn file_zh(&self) -> Option<String> {
        Some(match self {
            Self::KeysMissing { path } => format!(
                "在 {} 没有找到中心的密钥。请先执行初始化（init），或检查数据目录是否填对。",
                path.display()
            ),
            Self::KeysExist { path } => format!(
                "{} 中已有中心的密钥，不会覆盖。如要新建中心，请换一个数据目录。",
                path.display()
            ),
            Self::KeyFileBroken { path, .. } => format!(
                "密钥文件 {} 已损坏，无法使用。请勿删除，从最近的备份恢复该文件；没有备份时请联系管理员重新入网。",
                path.display()
            ),
            Self::VersionTooNew { path, found } => format!(
                "文件 {} 的格式（{found}）比本程序新。请把程序升级到最新版本后再打开。",
                path.display()
            ),
            Self::RootKeyOffline { path } => format!(
                "这项操作需要根密钥，而根密钥已离线保存。请把根密钥放回 {}，完成后再取走。",
                path.display()
            ),
            Self::File {
                path,
                action,
                source,
            } => format!(
                "文件 {} 操作失败（{action}：{source}）。请检查磁盘空间和目录权限后重试。",
                path.display()
            ),
            Self::RegisterBroken { path, line } => format!(
                "停用登记文件 {} 的第 {line} 行已损坏，为防止已停用的单位重新接入，程序不启动。请从备份恢复该文件。",
                path.display()
            ),
            Self::AlreadyServing { path, pid } => {
                let other = pid.map_or_else(String::new, |pid| format!("（进程号 {pid}）"));
                format!(
                    "数据目录 {} 正由另一个程序使用{other}。请先关闭它，或直接使用已打开的那个窗口。",
                    path.display()
                )
            }
            Self::OnNetworkShare { path, kind } => format!(
                "数据目录 {} 位于网络共享（{kind}）上，数据库在那里可能损坏。请把整个目录移到本机磁盘后再打开。",
                path.display()
            ),
            _ => return None,
        })
    }

    fn trust_zh(&self) -> String {
        match self {
            Self::ClockImplausible { .. } => {
                "本机时间明显不对，无法签发证书。请先把系统日期和时间调准后重试。".to_owned()
            }
            Self::FieldInvalid { what, reason } => {
                format!("填写的内容不能使用（{what}：{reason}）。请修改后重试。")
            }
            Self::RequestInvalid { reason } => {
                format!("证书申请无效（{reason}），未签发证书。请在该单位的电脑上重新发起入网。")
            }
            Self::CertificateForeign { reason } => {
                format!(
                    "对方出示的证书不是本系统签发给单位的证书（{reason}），已拒绝。请核对对方设备。"
                )
            }
            Self::AnswerMismatch { what } => format!(
                "中心的答复与本机的申请不符（{what}），未保存。请与上级中心核对入网码后重试。"
            ),
            Self::SignatureInvalid { context } => {
                format!("签名校验不通过（{context}），这份数据未被采用。请联系管理员查明来源。")
            }
            Self::Crypto { what } => {
                format!("加密运算失败（{what}）。请重新启动程序；仍不行时请联系管理员。")
            }
            other => format!("发生错误：{other}。请联系管理员。"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TransportError;
    use std::path::PathBuf;

    #[test]
    fn every_sentence_says_what_to_do_in_chinese() {
        let path = PathBuf::from("keys");
        let address = "hub:1".to_owned();
        let all = [
            TransportError::NotEnrolled,
            TransportError::NothingPending { what: "renewal" },
            TransportError::KeysMissing { path: path.clone() },
            TransportError::KeysExist { path: path.clone() },
            TransportError::broken(&path, "x"),
            TransportError::VersionTooNew {
                path: path.clone(),
                found: 2,
            },
            TransportError::RootKeyOffline { path: path.clone() },
            TransportError::file(&path, "read")(std::io::Error::other("x")),
            TransportError::ClockImplausible { unix_ms: 0 },
            TransportError::FieldInvalid {
                what: "host",
                reason: "x",
            },
            TransportError::CodeMistyped { group: 3 },
            TransportError::CodeTruncated { missing: 3 },
            TransportError::CodeInconsistent,
            TransportError::RequestInvalid { reason: "x" },
            TransportError::CertificateForeign { reason: "x" },
            TransportError::AnswerMismatch { what: "x" },
            TransportError::SignatureInvalid { context: "batch" },
            TransportError::Crypto { what: "x" },
            TransportError::TimedOut {
                address: address.clone(),
                seconds: 5,
            },
            TransportError::NotOurHub {
                address: address.clone(),
                reason: String::new(),
            },
            TransportError::RefusedByHub {
                address,
                reason: String::new(),
            },
            TransportError::RegisterBroken {
                path: path.clone(),
                line: 3,
            },
            TransportError::AlreadyServing {
                path: path.clone(),
                pid: Some(7),
            },
            TransportError::OnNetworkShare {
                path,
                kind: "nfs4".to_owned(),
            },
        ];
        for error in all {
            let text = error.text_zh();
            assert!(
                text.ends_with('。') && !text.starts_with("发生错误"),
                "{error:?}: {text}"
            );
            assert!(
                error.to_string().starts_with(|c: char| !c.is_uppercase()),
                "{error}"
            );
        }
    }
}
