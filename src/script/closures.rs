//! Functions that call a closure for each item of a list, in place of Rhai's own.
//!
//! Rhai's first try a closure with nothing, then with the item, then with the item and its place, for each
//! item anew, and write out what they did not find; and what was found out in one call of a closure is
//! forgotten for the next. These look once how much a closure takes. What comes of it is the same.

use rhai::{Array, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, FuncRegistration, Variant};
use rhai::{NativeCallContext, Position, Scope};

use super::desk;

type Made<T = Dynamic> = Result<T, Box<EvalAltResult>>;
/// Calls the closure with an item and its place.
type Each<'a> = &'a mut dyn FnMut(usize, &mut Dynamic) -> Made;

/// Makes them known, in place of those of the packages.
pub(super) fn register(engine: &mut Engine) {
    add(engine, "map", map);
    add(engine, "filter", filter);
    add(engine, "find", |list, each| Ok(first(list, true, each)?.map_or(Dynamic::UNIT, |item| item.clone())));
    add(engine, "some", |list, each| Ok(first(list, true, each)?.is_some()));
    add(engine, "all", |list, each| Ok(first(list, false, each)?.is_none()));
}

fn map(list: &mut Array, each: Each) -> Made<Array> {
    list.iter_mut().enumerate().map(|(place, item)| each(place, item)).collect()
}

fn filter(list: &mut Array, each: Each) -> Made<Array> {
    let mut kept = Array::new();
    for (place, item) in list.iter_mut().enumerate() {
        if holds(each(place, item)?) {
            kept.push(item.clone());
        }
    }
    Ok(kept)
}

/// The first item for which the closure holds, or does not.
fn first<'a>(list: &'a mut Array, wanted: bool, each: Each) -> Made<Option<&'a mut Dynamic>> {
    for (place, item) in list.iter_mut().enumerate() {
        if holds(each(place, item)?) == wanted {
            return Ok(Some(item));
        }
    }
    Ok(None)
}

fn holds(given: Dynamic) -> bool {
    given.as_bool().unwrap_or(false)
}

fn add<R: Variant + Clone>(
    engine: &mut Engine,
    name: &'static str,
    work: impl Fn(&mut Array, Each) -> Made<R> + Send + Sync + 'static,
) {
    let function = move |context: NativeCallContext, list: &mut Array, closure: FnPtr| {
        lend(name, &context, &closure, |each| work(list, each))
    };
    FuncRegistration::new(name).with_purity(true).register_into_engine(engine, function);
}

/// Lends what calls the closure to `work`.
fn lend<T>(name: &str, context: &NativeCallContext, closure: &FnPtr, work: impl FnOnce(Each) -> T) -> T {
    let Some(takes) = takes(context, closure) else {
        return work(&mut |place, item| {
            closure.call_raw_with_extra_args(name, context, Some(item), [], [number(place)], Some(0))
        });
    };
    let given = |place: usize, item: &Dynamic| [item.clone(), number(place)].into_iter().take(takes);
    let told = |error| {
        let source = context.call_source().unwrap_or_default().to_owned();
        Box::new(EvalAltResult::ErrorInFunctionCall(name.to_owned(), source, error, Position::NONE))
    };
    if !desk::keeps() {
        return work(&mut |place, item| {
            let mut given: Array = given(place, item).collect();
            closure.call_raw(context, None, &mut given).map_err(told)
        });
    }
    desk::in_closures(|found| {
        let mut state = context.global_runtime_state().clone();
        // The one that this function itself is at: the closure is called from there.
        state.level = state.level.saturating_sub(1);
        let mut scope = Scope::new();
        let mut inner = EvalContext::new(context.engine(), &mut state, found, &mut scope, None);
        work(&mut |place, item| {
            let mut given: Array = closure.curry().iter().cloned().chain(given(place, item)).collect();
            let mut given: Vec<&mut Dynamic> = given.iter_mut().collect();
            inner.call_fn_raw(closure.fn_name(), false, false, &mut given).map_err(told)
        })
    })
}

/// How much a closure takes beside what it holds: an item, or with it its place. Nothing for one that finds
/// the item in `this`, and for the name of a function, which may be one of Rust.
fn takes(context: &NativeCallContext, closure: &FnPtr) -> Option<usize> {
    let held = closure.curry().len();
    let has = |more: usize| {
        let name = closure.fn_name();
        context.namespaces().iter().any(|module| module.get_script_fn(name, held + more).is_some())
    };
    (0..=2).find(|more| has(*more)).filter(|more| *more > 0 && closure.is_anonymous())
}

fn number(place: usize) -> Dynamic {
    i64::try_from(place).unwrap_or(i64::MAX).into()
}
