use super::*;

const NOW_MS: i64 = 1_800_000_000_000;

fn sample() -> EnrolmentCode {
    EnrolmentCode {
        addresses: vec!["hub.example.cn:7443".to_owned(), "10.0.0.5:7443".to_owned()],
        root_hash: *blake3::hash(b"root").as_bytes(),
        office: [0xA5; 16],
        office_code: "CY-0042".to_owned(),
        secret: *b"sixteen bytes 0?",
        expires_unix_s: expiry(NOW_MS, DAYS_DEFAULT).unwrap(),
    }
}

#[test]
fn a_code_reads_back_as_written_on_one_line() {
    let text = sample().text().unwrap();
    assert!(!text.contains(char::is_whitespace));
    assert!(text.split('-').all(|group| group.len() <= 6));
    assert_eq!(EnrolmentCode::parse(&text).unwrap(), sample());
    for office_code in [
        "朝阳门社区",
        "东 湖 01",
        "湖".repeat(30).as_str(),
        "𠮷".repeat(30).as_str(),
    ] {
        let other = EnrolmentCode {
            addresses: vec!["hub.example.cn:7443".to_owned()],
            office_code: office_code.to_owned(),
            ..sample()
        };
        assert_eq!(EnrolmentCode::parse(&other.text().unwrap()).unwrap(), other);
    }
}

#[test]
fn every_usual_way_of_pasting_is_understood() {
    let text = sample().text().unwrap();
    let spaced: String = text.replace('-', " \r\n\u{3000}");
    let confused = text.to_lowercase().replace('0', "o").replace('1', "l");
    let wide: String = text
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap())
        .collect();
    let dashed = format!("\u{FEFF} {} ", text.replace('-', "\u{2014}"));
    for variant in [
        spaced,
        confused,
        wide,
        dashed,
        text.replace('1', "I"),
        text.replace('-', ""),
    ] {
        assert_eq!(
            EnrolmentCode::parse(&variant).unwrap(),
            sample(),
            "{variant}"
        );
    }
}

#[test]
fn every_single_wrong_character_is_found_and_its_group_named() {
    let text = sample().text().unwrap();
    let mut tried = 0;
    for (at, right) in text.char_indices().filter(|(_, c)| *c != '-') {
        for wrong in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
            .chars()
            .filter(|c| *c != right)
        {
            let mut typed = text.clone();
            typed.replace_range(at..=at, &wrong.to_string());
            let error = EnrolmentCode::parse(&typed).unwrap_err();
            assert!(
                matches!(error, TransportError::CodeMistyped { group } if group == at / 7 + 1),
                "{at} {right} {wrong}: {error}"
            );
            tried += 1;
        }
    }
    assert!(tried > 5000);
}

#[test]
fn every_truncation_is_found_and_the_missing_characters_counted() {
    let text = sample().text().unwrap();
    let full = text.replace('-', "");
    for kept in 0..full.len() {
        let error = EnrolmentCode::parse(&full[..kept]).unwrap_err();
        let expected = if kept < 6 { 0 } else { full.len() - kept };
        assert!(
            matches!(error, TransportError::CodeTruncated { missing } if missing == expected),
            "{kept}: {error}"
        );
    }
}

#[test]
fn swapped_groups_extra_text_and_odd_characters_are_found() {
    let text = sample().text().unwrap();
    let mut groups: Vec<&str> = text.split('-').collect();
    groups.swap(3, 4);
    let error = EnrolmentCode::parse(&groups.join("-")).unwrap_err();
    assert!(
        matches!(error, TransportError::CodeMistyped { group: 4 }),
        "{error}"
    );
    let error = EnrolmentCode::parse(&format!("{text}-AB")).unwrap_err();
    assert!(
        matches!(error, TransportError::CodeTooLong { extra: 2 }),
        "{error}"
    );
    let error = EnrolmentCode::parse(&format!("{}码", &text[..8])).unwrap_err();
    assert!(matches!(
        error,
        TransportError::CodeCharacter {
            group: 2,
            character: '码'
        }
    ));
}

#[test]
fn a_code_of_a_newer_hub_asks_for_an_update() {
    let mut bytes = [0_u8; 80];
    bytes[0] = 2;
    bytes[1] = 80;
    let error = EnrolmentCode::parse(&base32::write(&bytes)).unwrap_err();
    assert!(matches!(error, TransportError::CodeVersion { found: 2 }));
    bytes[0] = 1;
    let error = EnrolmentCode::parse(&base32::write(&bytes)).unwrap_err();
    assert!(matches!(error, TransportError::CodeInconsistent));
    let error = EnrolmentCode::parse(&base32::write(&[1, 0, 0, 0])).unwrap_err();
    assert!(matches!(error, TransportError::CodeTooLong { .. }));
}

#[test]
fn fields_that_cannot_work_are_refused_when_the_code_is_made() {
    for address in [
        "hub",
        "hub:",
        ":7443",
        "hub:0",
        "hub:70000",
        "中心:7443",
        "a b:1",
    ] {
        let code = EnrolmentCode {
            addresses: vec![address.to_owned()],
            ..sample()
        };
        assert!(
            matches!(code.text(), Err(TransportError::FieldInvalid { .. })),
            "{address}"
        );
    }
    let long = EnrolmentCode {
        addresses: vec![format!("{}:1", "h".repeat(200))],
        ..sample()
    };
    assert!(long.text().is_err());
    assert!(
        EnrolmentCode {
            addresses: Vec::new(),
            ..sample()
        }
        .text()
        .is_err()
    );
    for office_code in ["", "a\nb", "x".repeat(OFFICE_CODE_BYTES_MAX + 1).as_str()] {
        let other = EnrolmentCode {
            addresses: vec!["h:1".to_owned()],
            office_code: office_code.to_owned(),
            ..sample()
        };
        assert!(other.text().is_err(), "{office_code:?}");
    }
    assert!(expiry(NOW_MS, 0).is_err() && expiry(NOW_MS, 31).is_err() && expiry(0, 7).is_err());
}

#[test]
fn a_code_ends_at_its_second() {
    let code = sample();
    let end_ms = i64::from(code.expires_unix_s) * 1000;
    assert_eq!(end_ms, NOW_MS + 7 * 86_400_000);
    code.check_expiry(end_ms - 1).unwrap();
    assert!(matches!(
        code.check_expiry(end_ms),
        Err(TransportError::CodeExpired { .. })
    ));
}

#[test]
fn the_secret_is_neither_printed_nor_stored() {
    let code = sample();
    assert!(!format!("{code:?}").contains("secret"));
    assert_ne!(secret_hash(&code.secret)[..16], code.secret);
    assert_ne!(generate_secret().unwrap(), generate_secret().unwrap());
}

#[test]
fn the_comparison_number_depends_on_every_part() {
    let number = |a: u8, b: &[u8], c: u8, d: u8| comparison_number(&[a; 16], b, &[c; 32], &[d; 32]);
    let base = number(1, b"key", 2, 3);
    assert!(base.len() == 6 && base.bytes().all(|digit| digit.is_ascii_digit()));
    assert_eq!(base, number(1, b"key", 2, 3));
    for other in [
        number(9, b"key", 2, 3),
        number(1, b"kex", 2, 3),
        number(1, b"key", 9, 3),
        number(1, b"key", 2, 9),
    ] {
        assert_ne!(base, other);
    }
}
