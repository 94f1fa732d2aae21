//! The configuration: read, change the fields that are given, reset.
//!
//! Invariants: at most one row is active, held by a unique index; `updated_at_ms` is kept by a trigger, whoever
//! writes; a change is one statement over the given fields, so two changes of different fields both last.

use std::fmt::Display;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, Transaction};
use serde::Serialize;
use serde_json::Value;

use super::UsageStore;
use super::word::{Plan, Theme, TimeFormat, View};
use crate::apps::field::refused;
use crate::error::Context;
use crate::{Error, Result};

const UPDATING: &str = "update usage configuration";

/// How usage is measured and shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UsageConfig {
    /// The row.
    pub id: i64,
    /// The subscription whose limits apply.
    pub plan: Plan,
    /// The limit of [`Plan::Custom`] in tokens.
    pub custom_limit_tokens: Option<i64>,
    /// What is shown.
    pub view: View,
    /// `auto`, or a name such as `Europe/Berlin`.
    pub timezone: String,
    /// How times of day are written.
    pub time_format: TimeFormat,
    /// The colours.
    pub theme: Theme,
    /// Seconds between two measurements.
    pub refresh_rate: i64,
    /// How often the display is drawn in a second.
    pub refresh_per_second: f64,
    /// The hour at which the limits start again, 0 to 23.
    pub reset_hour: Option<i64>,
    /// When the row was made, in milliseconds since 1970.
    #[serde(rename = "created_at")]
    pub created_at_ms: i64,
    /// When it was last changed, in milliseconds since 1970.
    #[serde(rename = "updated_at")]
    pub updated_at_ms: i64,
}

/// The fields that are to change; `None` leaves a field as it is. `Some(None)` clears one that may be empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsageConfigUpdate {
    /// The subscription whose limits apply.
    pub plan: Option<Plan>,
    /// More than 0 tokens, or none.
    pub custom_limit_tokens: Option<Option<i64>>,
    /// What is shown.
    pub view: Option<View>,
    /// `auto`, or a name such as `Europe/Berlin`.
    pub timezone: Option<String>,
    /// How times of day are written.
    pub time_format: Option<TimeFormat>,
    /// The colours.
    pub theme: Option<Theme>,
    /// 1 to 60 seconds.
    pub refresh_rate: Option<i64>,
    /// 0.1 to 20 times a second.
    pub refresh_per_second: Option<f64>,
    /// 0 to 23, or none.
    pub reset_hour: Option<Option<i64>>,
}

impl UsageConfigUpdate {
    /// Every field as it is in a new database.
    pub fn defaults() -> UsageConfigUpdate {
        UsageConfigUpdate {
            plan: Some(Plan::Custom),
            custom_limit_tokens: Some(None),
            view: Some(View::Realtime),
            timezone: Some("auto".to_owned()),
            time_format: Some(TimeFormat::Auto),
            theme: Some(Theme::Auto),
            refresh_rate: Some(10),
            refresh_per_second: Some(0.75),
            reset_hour: Some(None),
        }
    }

    /// Reads a JSON object, such as the body of a request: a key that is absent leaves the field, `null` clears it.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage), naming the field, where a key is unknown or a value is not of its type.
    /// Whether the value is in its range is looked at by [`UsageConfigUpdate::validate`].
    pub fn from_json(json: &Value) -> Result<UsageConfigUpdate> {
        let Some(fields) = json.as_object() else {
            return Err(Error::usage(UPDATING, "", "the request is no JSON object"));
        };
        let mut update = UsageConfigUpdate::default();
        for (field, value) in fields {
            match field.as_str() {
                "plan" => update.plan = Some(text(field, value)?.parse()?),
                "custom_limit_tokens" => update.custom_limit_tokens = Some(integer_or_none(field, value)?),
                "view" => update.view = Some(text(field, value)?.parse()?),
                "timezone" => update.timezone = Some(text(field, value)?.to_owned()),
                "time_format" => update.time_format = Some(text(field, value)?.parse()?),
                "theme" => update.theme = Some(text(field, value)?.parse()?),
                "refresh_rate" => update.refresh_rate = Some(integer(field, value)?),
                "refresh_per_second" => {
                    let number = value.as_f64().ok_or_else(|| refused(UPDATING, field, value, "a number"))?;
                    update.refresh_per_second = Some(number);
                }
                "reset_hour" => update.reset_hour = Some(integer_or_none(field, value)?),
                _ => {
                    return Err(Error::usage(UPDATING, format!("field `{field}`"), "there is no such field").hint(
                        "known are `plan`, `custom_limit_tokens`, `view`, `timezone`, `time_format`, `theme`, \
                         `refresh_rate`, `refresh_per_second` and `reset_hour`",
                    ));
                }
            }
        }
        Ok(update)
    }

    /// Whether no field is given.
    pub fn is_empty(&self) -> bool {
        *self == UsageConfigUpdate::default()
    }

    /// Looks at every given value.
    ///
    /// # Errors
    /// [`Usage`](crate::error::Kind::Usage), naming the first field whose value is out of its range.
    pub fn validate(&self) -> Result<()> {
        expect("custom_limit_tokens", self.custom_limit_tokens.flatten(), |tokens| *tokens > 0, "more than 0")?;
        expect("timezone", self.timezone.as_deref(), is_timezone, "`auto` or a name such as `Europe/Berlin`")?;
        expect("refresh_rate", self.refresh_rate, |rate| (1..=60).contains(rate), "between 1 and 60 seconds")?;
        // NaN is in no range.
        let per_second = |rate: &f64| (0.1..=20.0).contains(rate);
        expect("refresh_per_second", self.refresh_per_second, per_second, "between 0.1 and 20")?;
        expect("reset_hour", self.reset_hour.flatten(), |hour| (0..=23).contains(hour), "between 0 and 23")
    }

    /// The given columns and their values.
    fn columns(&self) -> Vec<(&'static str, &dyn ToSql)> {
        fn given<T: ToSql>(value: &Option<T>) -> Option<&dyn ToSql> {
            value.as_ref().map(|value| value as &dyn ToSql)
        }
        let all = [
            ("plan", given(&self.plan)),
            ("custom_limit_tokens", given(&self.custom_limit_tokens)),
            ("view", given(&self.view)),
            ("timezone", given(&self.timezone)),
            ("time_format", given(&self.time_format)),
            ("theme", given(&self.theme)),
            ("refresh_rate", given(&self.refresh_rate)),
            ("refresh_per_second", given(&self.refresh_per_second)),
            ("reset_hour", given(&self.reset_hour)),
        ];
        all.into_iter().filter_map(|(column, value)| Some((column, value?))).collect()
    }

    /// Whether there was an active row to change.
    fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
        let (columns, values): (Vec<_>, Vec<_>) = self.columns().into_iter().unzip();
        let set: Vec<String> = columns.iter().map(|column| format!("{column} = ?")).collect();
        let sql = format!("UPDATE usage_config SET {} WHERE is_active = 1", set.join(", "));
        Ok(connection.prepare_cached(&sql)?.execute(values.as_slice())? > 0)
    }
}

impl UsageStore {
    /// The active configuration, where there is one: a new database has one, and nothing here takes it away.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn config(&self) -> Result<Option<UsageConfig>> {
        self.pool().read("read usage configuration of", read)
    }

    /// Changes the given fields of the active configuration. `false` when none is given.
    ///
    /// # Errors
    /// One that names the field whose value is out of its range; or when no configuration is active, or the file
    /// cannot be written. Nothing is changed then.
    pub fn update_config(&self, update: &UsageConfigUpdate) -> Result<bool> {
        update.validate()?;
        if update.is_empty() {
            return Ok(false);
        }
        self.pool().write(UPDATING, |transaction| {
            let changed = update.apply(transaction).could_not(UPDATING, self.pool().object())?;
            if changed { Ok(true) } else { Err(self.no_configuration()) }
        })
    }

    /// Changes the active configuration by what `change` makes of it, while nobody else can: for values that depend
    /// on the old ones. `false` when it gives no field.
    ///
    /// # Errors
    /// As [`UsageStore::update_config`], and those of `change`.
    pub fn update_config_with(&self, change: impl FnOnce(&UsageConfig) -> Result<UsageConfigUpdate>) -> Result<bool> {
        self.pool().write(UPDATING, |transaction| {
            let config = self.read_in(transaction)?.ok_or_else(|| self.no_configuration())?;
            let update = change(&config)?;
            update.validate()?;
            if update.is_empty() {
                return Ok(false);
            }
            update.apply(transaction).could_not(UPDATING, self.pool().object())
        })
    }

    /// Sets every field to what it is in a new database, and makes an active configuration where there is none.
    /// Gives what is active now.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reset_config(&self) -> Result<UsageConfig> {
        const RESETTING: &str = "reset usage configuration of";
        self.pool().write(RESETTING, |transaction| {
            let reset = || -> rusqlite::Result<()> {
                if !UsageConfigUpdate::defaults().apply(transaction)? {
                    transaction.execute("INSERT INTO usage_config DEFAULT VALUES", [])?;
                }
                Ok(())
            };
            reset().could_not(RESETTING, self.pool().object())?;
            self.read_in(transaction)?.ok_or_else(|| self.no_configuration())
        })
    }

    fn read_in(&self, transaction: &Transaction<'_>) -> Result<Option<UsageConfig>> {
        read(transaction).could_not("read usage configuration of", self.pool().object())
    }

    fn no_configuration(&self) -> Error {
        Error::could_not(UPDATING, self.pool().object(), "no configuration is active").hint("reset it first")
    }
}

fn read(connection: &Connection) -> rusqlite::Result<Option<UsageConfig>> {
    let sql = "SELECT id, plan, custom_limit_tokens, view, timezone, time_format, theme, refresh_rate, \
               refresh_per_second, reset_hour, created_at, updated_at FROM usage_config WHERE is_active = 1";
    connection.prepare_cached(sql)?.query_row([], config).optional()
}

fn config(row: &Row<'_>) -> rusqlite::Result<UsageConfig> {
    Ok(UsageConfig {
        id: row.get(0)?,
        plan: row.get(1)?,
        custom_limit_tokens: row.get(2)?,
        view: row.get(3)?,
        timezone: row.get(4)?,
        time_format: row.get(5)?,
        theme: row.get(6)?,
        refresh_rate: row.get(7)?,
        refresh_per_second: row.get(8)?,
        reset_hour: row.get(9)?,
        created_at_ms: row.get(10)?,
        updated_at_ms: row.get(11)?,
    })
}

fn expect<T: Display>(field: &str, value: Option<T>, is_good: impl FnOnce(&T) -> bool, takes: &str) -> Result<()> {
    match value {
        Some(value) if !is_good(&value) => Err(refused(UPDATING, field, value, takes)),
        _ => Ok(()),
    }
}

/// Whether a text has the form of a name in the time zone database.
fn is_timezone(name: &&str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    };
    name.len() <= 64 && name.split('/').all(is_part)
}

fn text<'v>(field: &str, value: &'v Value) -> Result<&'v str> {
    value.as_str().ok_or_else(|| refused(UPDATING, field, value, "a text"))
}

fn integer(field: &str, value: &Value) -> Result<i64> {
    value.as_i64().ok_or_else(|| refused(UPDATING, field, value, "a whole number"))
}

fn integer_or_none(field: &str, value: &Value) -> Result<Option<i64>> {
    if value.is_null() { Ok(None) } else { integer(field, value).map(Some) }
}
