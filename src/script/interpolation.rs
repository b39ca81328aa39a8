//! `${...}` in texts, made safe.
//!
//! Where such a part is a list that is too large, Rhai writes it out in Rust's own form, however long, with
//! no limit that holds: texts are shared, so that a list of a few hundred KiB can be hundreds of MB when
//! written. So each part is made `${to_string({...})}` before the script is compiled for good: that
//! function of `natives` measures first. Lines stay the same, and columns are told as they were.

use rhai::{AST, ASTNode, Expr, Position, Stmt, StmtBlock};

use super::walk;

/// What measures first.
pub(super) const MEASURED: &str = "to_string";
const OPENING: &str = "to_string({";
const CLOSING: &str = "})";

/// Characters that were put into a line, before what is now at this column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inserted {
    line: usize,
    column: usize,
    characters: usize,
}

/// The text with each `${...}` measured, and what was put in; nothing where there is no `${...}`.
pub(super) fn measured(ast: &AST, text: &str) -> Option<(String, Vec<Inserted>)> {
    let mut points = Vec::new();
    walk::each(ast, &mut |path| {
        for block in parts(path) {
            let span = block.span();
            points.extend(place(span.start()).map(|(line, column)| (line, column + 1, OPENING)));
            points.extend(place(span.end()).map(|(line, column)| (line, column, CLOSING)));
        }
    });
    if points.is_empty() {
        return None;
    }
    points.sort_unstable();
    points.dedup();
    Some(put_in(text, &points))
}

/// Whether each `${...}` is measured.
pub(super) fn is_measured(ast: &AST) -> bool {
    let mut all = true;
    walk::each(ast, &mut |path| {
        all &= parts(path).all(|block| match block.statements() {
            [Stmt::FnCall(call, _)] => call.name == MEASURED,
            [Stmt::Expr(expression)] => matches!(&**expression, Expr::FnCall(call, _) if call.name == MEASURED),
            _ => false,
        });
    });
    all
}

/// The column that a place had before characters were put in.
pub(super) fn column_before(inserted: &[Inserted], line: usize, column: usize) -> usize {
    let before = inserted.iter().filter(|point| point.line == line && point.column <= column);
    before.fold(column, |left, point| {
        // A fault of what was put in is told where it was put in.
        let inside = column < point.column + point.characters;
        left - if inside { column - point.column } else { point.characters }
    })
}

/// The `${...}` of a node.
fn parts<'a>(path: &[ASTNode<'a>]) -> impl Iterator<Item = &'a StmtBlock> + use<'a> {
    let parts: &[Expr] = match path.last() {
        Some(ASTNode::Expr(Expr::InterpolatedString(parts, _))) => parts,
        _ => &[],
    };
    parts.iter().filter_map(|part| match part {
        Expr::Stmt(block) => Some(&**block),
        _ => None,
    })
}

fn place(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position()?))
}

/// Puts each piece before the column of its line; the points are in order.
fn put_in(text: &str, points: &[(usize, usize, &str)]) -> (String, Vec<Inserted>) {
    let mut out = String::with_capacity(text.len() + points.len() * OPENING.len());
    let mut inserted = Vec::with_capacity(points.len());
    let mut points = points.iter().peekable();
    let (mut line, mut column, mut shift) = (1, 1, 0);
    for letter in text.chars() {
        while let Some((.., piece)) = points.next_if(|point| (point.0, point.1) == (line, column)) {
            inserted.push(Inserted { line, column: column + shift, characters: piece.len() });
            shift += piece.len();
            out.push_str(piece);
        }
        out.push(letter);
        column += 1;
        if letter == '\n' {
            (line, column, shift) = (line + 1, 1, 0);
        }
    }
    (out, inserted)
}
