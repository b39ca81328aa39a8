//! Texts with places to fill.
//!
//! `{{name}}` stands for the first value of that name. `{{#name}}…{{/name}}` is written once for each
//! value of the name, and in it `{{name}}` is that value; so that it is left out where there is none.

/// What places are filled with: names, each with its values.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<(&'static str, Vec<String>)>);

impl Values {
    pub(super) fn put(&mut self, name: &'static str, values: impl IntoIterator<Item = String>) {
        self.0.push((name, values.into_iter().collect()));
    }

    fn of(&self, name: &str) -> Result<&[String], String> {
        let found = self.0.iter().find(|(own, _)| *own == name).map(|(_, values)| values.as_slice());
        found.ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|(name, _)| *name).collect();
            format!("{{{{{name}}}}} is not known. Known are {}", names.join(", "))
        })
    }
}

/// Fills a template; `written` says how a value is written into it.
///
/// # Errors
/// What is wrong with the template, in words.
pub(super) fn fill(template: &str, values: &Values, written: fn(&str) -> String) -> Result<String, String> {
    let filler = Filler { values, written };
    let mut out = String::new();
    filler.fill(template, None, &mut out)?;
    Ok(out)
}

/// Writes a value as it is.
pub(super) fn plain(value: &str) -> String {
    value.to_owned()
}

/// Writes a value so that HTML shows it as it is, also in an attribute.
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

struct Filler<'a> {
    values: &'a Values,
    written: fn(&str) -> String,
}

impl Filler<'_> {
    /// `inside` is the name whose section this is, and the value it has this time.
    fn fill(&self, mut rest: &str, inside: Option<(&str, &str)>, out: &mut String) -> Result<(), String> {
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let (name, after) = after.split_once("}}").ok_or("{{ has no }} behind it")?;
            let name = name.trim();
            rest = match name.strip_prefix('#') {
                Some(name) => self.section(name.trim(), after, out)?,
                None if name.starts_with('/') => return Err(format!("{{{{{name}}}}} closes nothing")),
                None => {
                    let values = self.values.of(name)?;
                    let value = inside.filter(|(own, _)| *own == name).map(|(_, value)| value);
                    let value = value.or(values.first().map(String::as_str)).unwrap_or_default();
                    out.push_str(&(self.written)(value));
                    after
                }
            };
        }
        out.push_str(rest);
        Ok(())
    }

    /// Writes a section and gives what comes behind it.
    fn section<'t>(&self, name: &str, text: &'t str, out: &mut String) -> Result<&'t str, String> {
        let end = format!("{{{{/{name}}}}}");
        let (section, after) = text.split_once(&end).ok_or_else(|| format!("{{{{#{name}}}}} is never closed"))?;
        // Without a value it is still looked at, so that a mistake in it does not wait for one.
        self.fill(section, None, &mut String::new())?;
        for value in self.values.of(name)? {
            self.fill(section, Some((name, value)), out)?;
        }
        Ok(after)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<String, String> {
        let mut values = Values::default();
        values.put("name", ["Ana <b>".to_owned()]);
        values.put("link", []);
        values.put("warnings", ["one".to_owned(), "two".to_owned()]);
        fill(template, &values, escaped)
    }

    #[test]
    fn a_place_is_filled_with_its_value_and_html_shows_it_as_it_is() {
        assert_eq!(filled("Dear {{ name }}!").as_deref(), Ok("Dear Ana &lt;b&gt;!"));
        assert_eq!(filled("{{link}}.").as_deref(), Ok("."));
        assert_eq!(escaped("a\"b'&"), "a&quot;b&#39;&amp;");
        assert_eq!(plain("<b>"), "<b>");
    }

    #[test]
    fn a_section_is_written_once_for_each_value_and_not_at_all_for_none() {
        assert_eq!(
            filled("{{#warnings}}- {{warnings}} for {{name}}\n{{/warnings}}").as_deref(),
            Ok("- one for Ana &lt;b&gt;\n- two for Ana &lt;b&gt;\n")
        );
        assert_eq!(filled("a{{#link}}<a href=\"{{link}}\">{{/link}}b").as_deref(), Ok("ab"));
    }

    #[test]
    fn what_cannot_be_filled_is_told() {
        let known = "{{nmae}} is not known. Known are name, link, warnings";
        assert_eq!(filled("{{nmae}}").unwrap_err(), known);
        assert_eq!(filled("{{#link}}{{nmae}}{{/link}}").unwrap_err(), known);
        assert_eq!(filled("{{name").unwrap_err(), "{{ has no }} behind it");
        assert_eq!(filled("{{#link}}").unwrap_err(), "{{#link}} is never closed");
        assert_eq!(filled("{{/link}}").unwrap_err(), "{{/link}} closes nothing");
    }
}
