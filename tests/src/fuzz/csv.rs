//! Text tables: the input is the file.

use super::table::{check_file, place};
use crate::generate::{CsvEncoding, RosterSpec, roster};

pub(super) fn check(input: &[u8]) -> anyhow::Result<()> {
    check_file(input)
}

pub(super) fn seeds() -> anyhow::Result<Vec<Vec<u8>>> {
    let path = place("seed.csv")?;
    let mut seeds = Vec::new();
    for (seed, rows) in [(1, 1), (2, 3), (3, 6), (4, 8)] {
        for encoding in [CsvEncoding::Utf8Bom, CsvEncoding::Gb18030] {
            let spec = RosterSpec {
                seed,
                rows,
                dirt: 0.5,
                ..RosterSpec::default()
            };
            roster(&spec).table.write_csv(&path, encoding)?;
            seeds.push(std::fs::read(&path)?);
        }
    }
    let head = "姓名\t公民身份号码\t入党日期\t党员状态\r\n";
    let hard = "=1+1\t11010519491231002X\t2019-07-01\t正式党员\r\n\
                +王\t11010519491231002x\t20190701\t正式\r\n\
                𠀀𪛖\t１１０１０５１９４９１２３１００２Ｘ\t2019.7.1\tFULL\r\n\
                \"a\"\"b\n\"\t'@x\t9999-12-31\t\r\n\
                合计\t2\r\n";
    let text = format!("{head}{hard}");
    let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    seeds.push([&b"\xff\xfe"[..], &wide(u16::to_le_bytes)].concat());
    seeds.push([&b"\xfe\xff"[..], &wide(u16::to_be_bytes)].concat());
    seeds.push(text.replace('\t', ";").into_bytes());
    seeds.push(format!("{head}{}", "\t".repeat(400)).into_bytes());
    seeds.push(b"<html><table><tr><td>\xe5\xa7\x93</td></tr></table>".to_vec());
    seeds.push(text.into_bytes());
    Ok(seeds)
}
