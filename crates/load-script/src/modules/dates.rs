//! `Date`'s texts as k6's engine writes them: with the zone's name and a 24-hour clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use script_engine::native::{Call, Shape, function};
use script_engine::property::{Visible, define};
use script_engine::throw::{Outcome, Throw};
use script_engine::{Object, convert};

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY_S: i64 = 86_400;

/// Replaces the methods of `Date.prototype` that differ.
pub(super) fn install(globals: &Object<'_>) -> script_engine::Result<()> {
    let date: Object<'_> = globals.get("Date")?;
    let prototype: Object<'_> = date.get("prototype")?;
    let ctx = globals.ctx();
    let all = [
        (
            c"toString",
            function(ctx, to_string, c"toString", Shape::Function)?,
        ),
        (
            c"toTimeString",
            function(ctx, to_time_string, c"toTimeString", Shape::Function)?,
        ),
        (
            c"toLocaleString",
            function(ctx, to_locale_string, c"toLocaleString", Shape::Function)?,
        ),
        (
            c"toLocaleDateString",
            function(ctx, to_locale_date, c"toLocaleDateString", Shape::Function)?,
        ),
        (
            c"toLocaleTimeString",
            function(ctx, to_locale_time, c"toLocaleTimeString", Shape::Function)?,
        ),
    ];
    for (name, method) in all {
        define(&prototype, name, method.into_value(), Visible::No)?;
    }
    Ok(())
}

fn to_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    written(call, |local| {
        let (day, month) = (DAYS[local.weekday], MONTHS[local.month - 1]);
        format!(
            "{day} {month} {:02} {} {}",
            local.day,
            local.year(),
            local.time_and_zone()
        )
    })
}

fn to_time_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    written(call, Local::time_and_zone)
}

fn to_locale_string<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    written(call, |local| format!("{}, {}", local.date(), local.time()))
}

fn to_locale_date<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    written(call, Local::date)
}

fn to_locale_time<'js>(call: &Call<'_, 'js>) -> Outcome<'js> {
    written(call, Local::time)
}

/// The text of the date `this`.
fn written<'js>(call: &Call<'_, 'js>, write: impl Fn(&Local) -> String) -> Outcome<'js> {
    let this = call.this();
    let Some(millis) = convert::date_millis(&this) else {
        let text = match this.is_object() {
            true => "Value is not a Date".to_owned(),
            false => format!("Value is not an object: {}", convert::to_text(&this)?),
        };
        return Err(Throw::Type(text));
    };
    if millis.is_nan() {
        return call.string("Invalid Date");
    }
    call.string(&write(&Local::at(millis, &TimeZone::system())))
}

/// A moment in a time zone.
struct Local {
    year: i64,
    /// Counted from 1.
    month: usize,
    day: i64,
    /// Counted from Sunday.
    weekday: usize,
    second_of_day: i64,
    offset_s: i64,
    zone: String,
}

impl Local {
    /// Whole milliseconds since 1970. JavaScript's range is larger than that of the time zone database: outside
    /// it, the offset at its nearest end is used.
    fn at(millis: f64, zone: &TimeZone) -> Self {
        let seconds = (millis / 1000.0).floor() as i64;
        let (least, most) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let known = Timestamp::from_second(seconds.clamp(least, most)).unwrap_or_default();
        let info = zone.to_offset_info(known);
        let offset_s = i64::from(info.offset().seconds());
        let local = seconds + offset_s;
        let (days, second_of_day) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
        let (year, month, day) = civil(days);
        Self {
            year,
            month,
            day,
            // The first day of 1970 was a Thursday.
            weekday: (days + 4).rem_euclid(7) as usize,
            second_of_day,
            offset_s,
            zone: info.abbreviation().to_owned(),
        }
    }

    fn year(&self) -> String {
        let sign = if self.year < 0 { "-" } else { "" };
        format!("{sign}{:04}", self.year.abs())
    }

    fn date(&self) -> String {
        format!("{:02}/{:02}/{}", self.month, self.day, self.year())
    }

    fn time(&self) -> String {
        let second = self.second_of_day;
        format!(
            "{:02}:{:02}:{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        )
    }

    fn time_and_zone(&self) -> String {
        let sign = if self.offset_s < 0 { '-' } else { '+' };
        let minutes = self.offset_s.abs() / 60;
        let (hours, minutes) = (minutes / 60, minutes % 60);
        format!(
            "{} GMT{sign}{hours:02}{minutes:02} ({})",
            self.time(),
            self.zone
        )
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: every 400 years are alike, and in a year
/// that begins in March the leap day is the last day.
fn civil(days: i64) -> (i64, usize, i64) {
    const ERA_DAYS: i64 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(millis: f64, zone: &str, date: &str, rest: &str) {
        let zone = TimeZone::get(zone).expect("the system knows time zones");
        let local = Local::at(millis, &zone);
        assert_eq!(
            (local.date().as_str(), local.time_and_zone().as_str()),
            (date, rest)
        );
    }

    #[test]
    fn dates_are_written_in_their_zone() {
        let winter = 1_704_207_845_000.0;
        check(winter, "UTC", "01/02/2024", "15:04:05 GMT+0000 (UTC)");
        check(
            winter,
            "America/New_York",
            "01/02/2024",
            "10:04:05 GMT-0500 (EST)",
        );
        check(
            winter,
            "Asia/Kathmandu",
            "01/02/2024",
            "20:49:05 GMT+0545 (+0545)",
        );
        check(
            winter + 0.5,
            "America/Sao_Paulo",
            "01/02/2024",
            "12:04:05 GMT-0300 (-03)",
        );
        check(
            -1e14,
            "America/New_York",
            "02/15/-1199",
            "09:17:18 GMT-0456 (LMT)",
        );
        check(8.64e15, "UTC", "09/13/275760", "00:00:00 GMT+0000 (UTC)");
        check(-8.64e15, "UTC", "04/20/-271821", "00:00:00 GMT+0000 (UTC)");
    }

    #[test]
    fn days_follow_one_another() {
        let mut before = civil(-1_000_000);
        for day in -999_999..1_000_000 {
            let now = civil(day);
            let is_next = now.2 == before.2 + 1 && (now.0, now.1) == (before.0, before.1)
                || now.2 == 1 && before.2 >= 28;
            assert!(is_next, "{before:?} {now:?}");
            before = now;
        }
        assert_eq!(civil(0), (1970, 1, 1));
    }
}
