//! Chinese numerals on letters: capital ones against alteration (大写: 玖拾天, dues paid up to
//! 贰零贰陆年壹拾壹月) and small ones for dates (二〇二六年十一月二十三日).
//!
//! `domain.md` 1.3 and 1.8: year and month of dues and the days of validity are written in capital
//! numerals. How the year is written is not settled there; here it goes digit by digit, and the
//! letter's template decides whether it is used. Each rendering is read back by its twin.

use jiff::civil::Date;

use super::date::YearMonth;

/// Capital digits in the order of their values.
const CAPITAL_DIGITS: &str = "零壹贰叁肆伍陆柒捌玖";
/// Small digits in the order of their values; 〇 stands only in numbers written digit by digit.
const HAN_DIGITS: &str = "〇一二三四五六七八九";
/// The largest number with a capital rendering here.
pub const CAPITAL_MAX: u16 = 9999;
/// The largest number with a small rendering here.
pub const HAN_MAX: u8 = 99;

/// A whole number in capital numerals: 90 is 玖拾, 15 is 壹拾伍, 105 is 壹佰零伍. Zero to
/// [`CAPITAL_MAX`]; none above.
pub fn capital(number: u16) -> Option<String> {
    if number > CAPITAL_MAX {
        return None;
    }
    let mut text = String::new();
    let mut rest = number;
    let mut gap = false;
    for (unit, name) in [(1000, "仟"), (100, "佰"), (10, "拾"), (1, "")] {
        let digit = rest / unit;
        rest %= unit;
        if digit == 0 {
            gap = !text.is_empty();
            continue;
        }
        if gap {
            text.push('零');
            gap = false;
        }
        text.push(digit_of(CAPITAL_DIGITS, digit)?);
        text.push_str(name);
    }
    Some(if text.is_empty() {
        "零".to_owned()
    } else {
        text
    })
}

/// The number of a text in capital numerals. Only correct renderings are read, except that 拾伍 is
/// taken for 壹拾伍.
pub fn parse_capital(text: &str) -> Option<u16> {
    let mut total: u16 = 0;
    let mut pending = 0;
    for c in text.chars() {
        let unit = match c {
            '仟' => 1000,
            '佰' => 100,
            '拾' => 10,
            _ => {
                pending = value_of(CAPITAL_DIGITS, c)?;
                continue;
            }
        };
        let times = if total == 0 && pending == 0 {
            1
        } else {
            pending
        };
        total = total.checked_add(unit * times)?;
        pending = 0;
    }
    total = total.checked_add(pending)?;
    let canonical = capital(total)?;
    let short = if text.starts_with('拾') {
        canonical.strip_prefix('壹')
    } else {
        None
    };
    (text == canonical || short == Some(text)).then_some(total)
}

/// Days of validity as the letter writes them: 90 is 玖拾天. None above [`CAPITAL_MAX`].
pub fn capital_days(days: u16) -> Option<String> {
    capital(days).map(|text| text + "天")
}

/// The days of a text such as 玖拾天.
pub fn parse_capital_days(text: &str) -> Option<u16> {
    parse_capital(text.strip_suffix('天')?)
}

/// Any ASCII digits one by one in capitals: `2026` is 贰零贰陆. Other characters are left out.
pub fn capital_digits(digits: &str) -> String {
    digits
        .chars()
        .filter_map(|c| digit_of(CAPITAL_DIGITS, u16::try_from(c.to_digit(10)?).ok()?))
        .collect()
}

/// The ASCII digits of capitals written one by one; none if another character stands among them.
pub fn parse_capital_digits(text: &str) -> Option<String> {
    ascii_digits(CAPITAL_DIGITS, text)
}

/// A month as the letter writes it: 2026-11 is 贰零贰陆年壹拾壹月.
pub fn capital_month(month: YearMonth) -> String {
    let number = u16::try_from(month.month())
        .ok()
        .and_then(capital)
        .unwrap_or_default();
    format!(
        "{}年{number}月",
        capital_digits(&format!("{:04}", month.year()))
    )
}

/// The month of a text such as 贰零贰陆年壹拾壹月; the year has four digits.
pub fn parse_capital_month(text: &str) -> Option<YearMonth> {
    let (year, month) = text.strip_suffix('月')?.split_once('年')?;
    let year = parse_capital_digits(year).filter(|digits| digits.len() == 4)?;
    YearMonth::new(
        year.parse().ok()?,
        i8::try_from(parse_capital(month)?).ok()?,
    )
}

/// A small number in words: 23 is 二十三, 10 is 十. One to [`HAN_MAX`]; none outside.
pub fn han_number(number: u8) -> Option<String> {
    let (tens, ones) = (u16::from(number / 10), u16::from(number % 10));
    if number == 0 || number > HAN_MAX {
        return None;
    }
    let mut text = String::new();
    if tens > 1 {
        text.push(digit_of(HAN_DIGITS, tens)?);
    }
    if tens > 0 {
        text.push('十');
    }
    if ones > 0 {
        text.push(digit_of(HAN_DIGITS, ones)?);
    }
    Some(text)
}

/// The number of a text such as 二十三; 一十 and the calendar's 廿 and 卅 are read too.
pub fn parse_han_number(text: &str) -> Option<u8> {
    let spelled = text.replace('廿', "二十").replace('卅', "三十");
    let one = |text: &str| {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => value_of(HAN_DIGITS, c).filter(|value| *value > 0),
            _ => None,
        }
    };
    let number = match spelled.split_once('十') {
        None => one(&spelled)?,
        Some((tens, ones)) => {
            let tens = if tens.is_empty() { 1 } else { one(tens)? };
            let ones = if ones.is_empty() { 0 } else { one(ones)? };
            tens * 10 + ones
        }
    };
    u8::try_from(number).ok()
}

/// Any ASCII digits one by one: `2026` is 二〇二六. Other characters are left out.
pub fn han_digits(digits: &str) -> String {
    digits
        .chars()
        .filter_map(|c| digit_of(HAN_DIGITS, u16::try_from(c.to_digit(10)?).ok()?))
        .collect()
}

/// The ASCII digits of small numerals written one by one (零 counts as 〇); none if another
/// character stands among them.
pub fn parse_han_digits(text: &str) -> Option<String> {
    ascii_digits(HAN_DIGITS, &text.replace('零', "〇"))
}

/// A date in words, as the forms ask: 二〇二六年十一月二十三日. Read back by `date::parse_any`.
pub fn han_date(date: Date) -> String {
    let day = u8::try_from(date.day())
        .ok()
        .and_then(han_number)
        .unwrap_or_default();
    format!("{}{day}日", han_month(YearMonth::of(date)))
}

/// A month in words: 二〇二六年十一月. Read back by `date::parse_any`.
pub fn han_month(month: YearMonth) -> String {
    let number = u8::try_from(month.month())
        .ok()
        .and_then(han_number)
        .unwrap_or_default();
    format!(
        "{}年{number}月",
        han_digits(&format!("{:04}", month.year()))
    )
}

fn digit_of(digits: &str, value: u16) -> Option<char> {
    digits.chars().nth(usize::from(value))
}

fn value_of(digits: &str, c: char) -> Option<u16> {
    digits
        .chars()
        .position(|digit| digit == c)
        .and_then(|value| u16::try_from(value).ok())
}

fn ascii_digits(digits: &str, text: &str) -> Option<String> {
    text.chars()
        .map(|c| char::from_digit(u32::from(value_of(digits, c)?), 10))
        .collect::<Option<String>>()
        .filter(|read| !read.is_empty())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::checks::date::{PartialDate, parse_any};

    #[test]
    fn capital_numerals_follow_the_rules_of_zero_and_ten() {
        for (number, text) in [
            (0, "零"),
            (1, "壹"),
            (10, "壹拾"),
            (15, "壹拾伍"),
            (20, "贰拾"),
            (30, "叁拾"),
            (90, "玖拾"),
            (99, "玖拾玖"),
            (100, "壹佰"),
            (105, "壹佰零伍"),
            (110, "壹佰壹拾"),
            (1000, "壹仟"),
            (1005, "壹仟零伍"),
            (1050, "壹仟零伍拾"),
            (2026, "贰仟零贰拾陆"),
            (4678, "肆仟陆佰柒拾捌"),
            (9900, "玖仟玖佰"),
        ] {
            assert_eq!(capital(number).as_deref(), Some(text));
            assert_eq!(parse_capital(text), Some(number), "{text}");
        }
        assert_eq!(capital(10_000), None);
        assert_eq!(capital_days(90).as_deref(), Some("玖拾天"));
        assert_eq!(parse_capital_days("玖拾天"), Some(90));
        assert_eq!(parse_capital_days("拾伍天"), Some(15));
    }

    #[test]
    fn wrong_capitals_are_not_read() {
        for text in [
            "",
            "玖十",
            "九拾",
            "壹零",
            "零壹",
            "拾拾",
            "壹佰伍",
            "壹佰零伍拾",
            "零拾",
            "贰拾壹佰",
            "壹佰佰",
            "玖玖",
            "拾零",
            "仟",
            "佰",
            "90",
        ] {
            assert_eq!(parse_capital(text), None, "{text}");
        }
        assert_eq!(parse_capital_days("玖拾"), None);
        for text in [
            "贰零贰陆年",
            "贰零贰陆年零月",
            "贰零贰陆年壹拾叁月",
            "贰陆年壹月",
            "2026年壹月",
        ] {
            assert_eq!(parse_capital_month(text), None, "{text}");
        }
    }

    #[test]
    fn small_numerals_are_read_and_written() {
        for (number, text) in [
            (1, "一"),
            (10, "十"),
            (11, "十一"),
            (20, "二十"),
            (23, "二十三"),
            (99, "九十九"),
        ] {
            assert_eq!(han_number(number).as_deref(), Some(text));
            assert_eq!(parse_han_number(text), Some(number), "{text}");
        }
        assert_eq!(han_number(0), None);
        assert_eq!(han_number(100), None);
        for (text, number) in [("廿", 20), ("廿三", 23), ("卅一", 31), ("一十", 10)] {
            assert_eq!(parse_han_number(text), Some(number), "{text}");
        }
        for text in ["", "〇", "二三", "十十", "二十〇", "百", "3", "十廿"] {
            assert_eq!(parse_han_number(text), None, "{text}");
        }
        assert_eq!(han_date(date(2026, 11, 23)), "二〇二六年十一月二十三日");
        assert_eq!(han_date(date(2000, 1, 10)), "二〇〇〇年一月十日");
        assert_eq!(capital_digits("2026"), "贰零贰陆");
        assert_eq!(parse_han_digits("二零二六").as_deref(), Some("2026"));
        assert_eq!(parse_han_digits(""), None);
    }

    proptest! {
        #[test]
        fn every_capital_is_read_back(number in 0_u16..=CAPITAL_MAX) {
            let text = capital(number);
            prop_assert_eq!(text.as_deref().and_then(parse_capital), Some(number));
        }

        #[test]
        fn every_month_and_date_is_read_back(
            year in 1900_i16..2200, month in 1_i8..=12, day in 1_i8..=28,
        ) {
            let day = date(year, month, day);
            let month = YearMonth::of(day);
            prop_assert_eq!(parse_capital_month(&capital_month(month)), Some(month));
            prop_assert_eq!(parse_any(&han_date(day)), Ok(PartialDate::Day(day)));
            prop_assert_eq!(parse_any(&han_month(month)), Ok(PartialDate::Month(month)));
        }

        #[test]
        fn digits_are_read_back_one_by_one(digits in "[0-9]{1,20}") {
            prop_assert_eq!(parse_capital_digits(&capital_digits(&digits)), Some(digits.clone()));
            prop_assert_eq!(parse_han_digits(&han_digits(&digits)), Some(digits));
        }

        #[test]
        fn no_text_at_all_panics(text in "[零壹贰玖拾佰仟]{0,9}|[一二十廿卅〇]{0,5}|.*") {
            let _ = (parse_capital(&text), parse_han_number(&text), parse_capital_month(&text));
        }
    }
}
