//! Tables of which something would be lost: refused, or said, and the same in a dry run.

use rust_xlsxwriter::Workbook;

use crate::support::{Stage, expect_names, names_at};

#[test]
fn two_columns_of_one_field_are_refused_by_name_and_nothing_is_imported() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let file = city.folder.join("twice.csv");
    let headings = "姓名,手机,联系电话";
    std::fs::write(
        &file,
        format!("{headings}\n表一,13900000001,\n表二,,0591-87870000\n"),
    )?;
    let path = file.to_string_lossy().into_owned();
    for line in [
        &["import", "person", &path][..],
        &["import", "person", &path, "--dry-run"],
    ] {
        let reply = city.node(0, line)?;
        assert_eq!(reply.code, 1, "{}", reply.out);
        for part in [
            "B1“手机”",
            "C1“联系电话”",
            "请把其中一列改名或删去",
            "rename or delete",
        ] {
            assert!(reply.err.contains(part), "{part}: {}", reply.err);
        }
    }
    assert!(names_at(city, 0)?.is_empty());

    // Where one of the two is empty, there is no question which is meant.
    std::fs::write(&file, format!("{headings}\n表一,13900000001,\n"))?;
    for line in [
        &["import", "person", &path, "--dry-run"][..],
        &["import", "person", &path],
    ] {
        let answer = city.node(0, line)?.done()?.json();
        assert_eq!(answer["accepted"], 1, "{answer}");
        assert_eq!(answer["empty_headings"][0], "C1 联系电话", "{answer}");
    }
    let persons = city.node(0, &["list", "person"])?.done()?.json();
    assert_eq!(persons[0]["phone"], "13900000001", "{persons}");
    Ok(())
}

#[test]
fn further_sheets_of_a_workbook_are_named_and_not_imported() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let file = city.folder.join("sheets.xlsx");
    let mut book = Workbook::new();
    for (name, person) in [("一组", "表三"), ("二组", "表四")] {
        let sheet = book.add_worksheet();
        sheet.set_name(name)?;
        sheet.write_row(0, 0, ["姓名", "备注"])?;
        sheet.write_row(1, 0, [person, name])?;
    }
    book.save(&file)?;
    let path = file.to_string_lossy().into_owned();
    for line in [
        &["import", "person", &path, "--dry-run"][..],
        &["import", "person", &path],
    ] {
        let answer = city.node(0, line)?.done()?.json();
        assert_eq!(answer["accepted"], 1, "{answer}");
        assert_eq!(answer["sheet"], "一组", "{answer}");
        assert_eq!(answer["unread_sheets"], serde_json::json!(["二组"]));
        let summary = answer["summary"].as_str().unwrap_or_default();
        assert!(summary.contains("二组"), "{summary}");
    }
    expect_names(&names_at(city, 0)?, &["表三"]);
    Ok(())
}
