//! The few texts that are read from the bucket's lists. Names of ours have no letter that XML would
//! write otherwise, so that a text is taken as it stands.

/// What stands between each opening tag of this name and the closing one after it.
pub(super) fn all<'a>(xml: &'a str, tag: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(open.as_str())?;
        let (inner, after) = after.split_once(close.as_str())?;
        rest = after;
        Some(inner)
    })
}

/// The first of [`all`], or an empty text.
pub(super) fn first<'a>(xml: &'a str, tag: &str) -> &'a str {
    all(xml, tag).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_and_what_is_cut_off_is_not() {
        let xml = "<L><C><Key>a</Key><Size>1</Size></C><C><Key>b</Key></C><C><Key>c";
        let keys: Vec<&str> = all(xml, "C").map(|entry| first(entry, "Key")).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!((first(xml, "Size"), first(xml, "None")), ("1", ""));
    }
}
