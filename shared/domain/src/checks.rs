//! Checks of single values: what a number, a name, a date or a code must look like before it may
//! stand in a record, how it is written in one form only, and how it is shown.
//!
//! Each check either gives back the value in its normal form or a small refusal that says what is
//! wrong and where; the wording for a clerk is the page's. No check looks at another record, and
//! none repairs silently what a person should see (a 15-digit ID number is explained, a two-digit
//! year is asked about).
//!
//! - [`id_number`]: ID numbers (公民身份号码), GB 11643-1999.
//! - [`credit_code`]: unified social credit codes (统一社会信用代码), GB 32100-2015.
//! - [`area_code`]: twelve-digit codes of communities (统计用区划代码), GB/T 2260 and below.
//! - [`date`]: dates of China, of day or month precision, working days, validity of letters.
//! - [`letter_number`]: numbers of letters of introduction, year and serial.
//! - [`numerals`]: capital and small Chinese numerals for letters.
//! - [`name`]: names of persons, their form for comparing and for masked display.
//! - [`phone`]: telephone numbers of mainland China.
//! - [`code_lists`]: the code lists that fields refer to.
//! - [`text`]: what the others share: character width and characters that cannot be seen.

pub mod area_code;
pub mod code_lists;
pub mod credit_code;
pub mod date;
pub mod id_number;
pub mod letter_number;
pub mod name;
pub mod numerals;
pub mod phone;
pub mod text;
