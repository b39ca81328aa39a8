//! One task after another, as JSON.

use std::fmt::Write;

use crate::domain::{Id, Moment};

use super::flows::{self, FLOW_COUNT, HUB_COUNT};
use super::people::{CUSTOMERS, ITEMS, NOTES, STREETS, WORKERS};
use super::random::Random;

const SEED: u64 = 0x0077_6179_6269_6c6c;
const YEAR_SECONDS: i64 = 365 * 86_400;
const DAY_SECONDS: i64 = 86_400;
/// What an inspection looks at; a task has those that passed.
pub(super) const CHECKS: [&str; 4] = ["Fire exits", "First aid", "Wiring", "Signage"];

/// So many tasks over the year before `now`, oldest first; the same each time for the same wish.
pub fn tasks(count: u64, now: Moment) -> impl Iterator<Item = String> {
    let mut random = Random::new(SEED);
    (0..count).map(move |number| {
        let newest = now.seconds() - 3_600;
        let step = i128::from(YEAR_SECONDS - 7_200) * i128::from(number) / i128::from(count.max(1));
        let created = newest - (YEAR_SECONDS - 7_200) + step as i64;
        Writer::new(&mut random, number, created, now.seconds()).write()
    })
}

struct Writer<'a> {
    random: &'a mut Random,
    json: String,
    number: u64,
    created: i64,
    start: i64,
    end: i64,
    done: Option<i64>,
    ongoing: bool,
    flow: usize,
    place: (f64, f64),
}

impl<'a> Writer<'a> {
    fn new(random: &'a mut Random, number: u64, created: i64, now: i64) -> Self {
        let start = created + random.between(1_800, 3 * DAY_SECONDS);
        let end = start + random.between(1_800, 4 * 3_600);
        let done = start + random.between(600, 6 * 3_600);
        let is_done = done <= now && random.percent(88);
        let flow = [0, 0, 0, 0, 1, 1, 2, 2, 3, 4][random.below(10) as usize] % FLOW_COUNT;
        let json = String::with_capacity(1_100);
        let done = is_done.then_some(done);
        let ongoing = random.percent(55);
        Self { random, json, number, created, start, end, done, ongoing, flow, place: (0.0, 0.0) }
    }

    fn write(mut self) -> String {
        let id = Id::from_parts(self.created as u32, *b"demo!", (self.number & 0xff_ffff) as u32);
        let hub = self.random.below(HUB_COUNT as u64) as usize;
        let (hub_name, lat, lng) = flows::hub_place(hub);
        let near = |random: &mut Random| random.between(-90_000, 90_000) as f64 / 1e6;
        self.place = (lat + near(self.random), lng + near(self.random));
        let (flow_id, hub_id) = (flows::id(flows::FLOW, self.flow), flows::id(flows::HUB, hub));
        let flow = flows::flow_name(self.flow);
        let customer = *self.random.pick(&CUSTOMERS);
        self.raw(format_args!("{{\"_id\":\"{id}\""));
        self.text("flow", flow);
        self.raw(format_args!(",\"flowId\":\"{flow_id}\",\"hubId\":\"{hub_id}\""));
        self.text("hub", hub_name);
        self.text("title", &format!("{flow}: {customer}"));
        self.raw(format_args!(",\"refId\":\"DO-{:07}\"", self.number + 1));
        let status = match (self.done, self.ongoing) {
            (Some(_), _) => "DONE",
            (None, true) => "ONGOING",
            (None, false) => "UNASSIGNED",
        };
        self.text("status", status);
        self.time("createdTime", self.created);
        self.text("createdBy", "dispatch@example.com");
        self.time("startTime", self.start);
        self.time("endTime", self.end);
        self.time("updatedTime", self.done.unwrap_or(self.created));
        if self.random.percent(15) {
            let note = *self.random.pick(&NOTES);
            // Notes stand there escaped as JSON wants them.
            self.raw(format_args!(",\"content\":\"{note}\""));
        }
        self.coordinate("expectedCoordinate", self.place);
        if status != "UNASSIGNED" {
            self.assigned();
        }
        if self.flow == 0 {
            self.order(customer);
        }
        if self.done.is_some() {
            self.answers(customer);
        }
        self.json.push('}');
        self.json
    }

    fn assigned(&mut self) {
        let (mail, name) = *self.random.pick(&WORKERS);
        self.raw(format_args!(",\"assignee\":[\"{mail}@example.com\"],\"assignedTo\":{{\"name\":\"{name}\",\"email\":\"{mail}@example.com\"}}"));
        self.time("assignedTime", self.created + 900);
        let Some(done) = self.done else { return };
        self.time("doneTime", done);
        self.raw(format_args!(",\"doneBy\":\"{mail}@example.com\""));
        let off = self.random.between(-400, 400) as f64 / 1e6;
        self.coordinate("doneCoordinate", (self.place.0 + off, self.place.1 - off));
        let (duration, distance) = (done - self.start, self.random.between(200, 42_000));
        self.raw(format_args!(
            ",\"duration\":{duration},\"travelDistance\":{}.{}",
            distance / 1_000,
            distance % 1_000 / 100
        ));
    }

    fn order(&mut self, customer: &str) {
        self.raw(format_args!(",\"orderNo\":\"{:010}\"", self.number * 7 + 40_001));
        self.text("customer", customer);
        self.phone();
        let (street, town) = *self.random.pick(&STREETS);
        let house = self.random.between(1, 240);
        self.text("address", &format!("{street} {house}, {town}"));
        let total = self.list("items");
        let fee = self.random.between(1, 9) * 50;
        self.raw(format_args!(
            ",\"bill\":[{{\"title\":\"Goods\",\"cost\":{}}},{{\"title\":\"Delivery fee\",\"cost\":{}}}]",
            Cents(total),
            Cents(fee)
        ));
    }

    fn answers(&mut self, customer: &str) {
        match self.flow {
            0 => self.delivered(customer),
            1 => self.picked_up(customer),
            2 => self.inspected(),
            3 => self.maintained(),
            _ => self.sold(customer),
        }
    }

    fn delivered(&mut self, customer: &str) {
        self.text("receiver", customer);
        self.photos("deliveryPhoto");
        self.file("receiverSignature", "png");
        let grams = self.random.between(200, 31_000);
        self.raw(format_args!(",\"weight\":{}.{},\"weight_unit\":\"kg\"", grams / 1_000, grams % 1_000 / 100));
    }

    fn picked_up(&mut self, customer: &str) {
        self.text("sender", customer);
        self.phone();
        let parcels = self.random.between(1, 40);
        self.raw(format_args!(",\"parcels\":{parcels}"));
        self.date("pickupDate", self.start);
        let hour = self.random.between(8, 17);
        self.raw(format_args!(",\"pickupTime\":\"{hour:02}:30\""));
        self.raw(format_args!(",\"labelScan\":\"0{:012}\"", self.number * 31 + 899_100));
    }

    fn inspected(&mut self) {
        self.coordinate("siteLocation", self.place);
        let passed: Vec<&str> = CHECKS.iter().copied().filter(|_| self.random.percent(80)).collect();
        self.options("checks", &passed);
        let rating = *self.random.pick(&["A", "A", "B", "C"]);
        self.options("rating", &[rating]);
        let finding = *self.random.pick(&[
            "Nothing to report",
            "Exit blocked by boxes",
            "Lamp in hall 2 broken",
            "ป้ายชำรุด",
            "Проводка повреждена",
        ]);
        self.text("findings", finding);
        self.photos("sitePhoto");
        self.file("voiceNote", "m4a");
        self.date("nextInspection", self.end + 90 * DAY_SECONDS);
    }

    fn maintained(&mut self) {
        let asset = self.random.between(1, 9_999);
        self.raw(format_args!(",\"assetId\":\"00{asset:04}\""));
        let minutes = self.random.between(10, 200);
        self.raw(format_args!(",\"workTimer\":\"{:02}:{:02}:00\"", minutes / 60, minutes % 60));
        let (degrees, bars) = (self.random.between(-40, 120), self.random.between(10, 80));
        self.raw(format_args!(",\"temperature\":{degrees},\"temperature_unit\":\"°C\""));
        self.raw(format_args!(",\"pressure\":{}.{},\"pressure_unit\":\"bar\"", bars / 10, bars % 10));
        self.list("partsUsed");
        self.file("workSignature", "png");
    }

    fn sold(&mut self, customer: &str) {
        self.text("outlet", customer);
        let interests: Vec<&str> = ITEMS.iter().map(|(name, _)| *name).filter(|_| self.random.percent(25)).collect();
        self.options("interests", &interests);
        let value = self.random.between(0, 900_000);
        self.raw(format_args!(",\"orderValue\":{},\"orderValue_unit\":\"USD\"", Cents(value)));
        self.photos("shelfPhoto");
        self.date("followUp", self.end + 14 * DAY_SECONDS);
    }

    fn list(&mut self, key: &str) -> i64 {
        let mut total = 0;
        self.raw(format_args!(",\"{key}\":["));
        for place in 0..self.random.between(1, 3) {
            let (name, cents) = *self.random.pick(&ITEMS);
            let quantity = self.random.between(1, 24);
            total += cents * quantity;
            let comma = if place > 0 { "," } else { "" };
            self.raw(format_args!(
                "{comma}{{\"title\":\"{name}\",\"qty\":{quantity},\"unitPrice\":{},\"qtyProcessed\":{quantity}}}",
                Cents(cents)
            ));
        }
        self.json.push(']');
        total
    }

    fn photos(&mut self, key: &str) {
        for place in 0..self.random.between(1, 2) {
            self.file(&format!("{key}_{place}"), "jpg");
            let number = self.number;
            self.raw(format_args!(",\"{key}_{place}_path\":\"task/{number}/{key}_{place}.jpg\""));
        }
    }

    fn file(&mut self, key: &str, kind: &str) {
        let number = self.number;
        self.raw(format_args!(",\"{key}_url\":\"https://files.example.com/task/{number}/{key}.{kind}\""));
    }

    fn phone(&mut self) {
        let (local, number) = (self.random.percent(60), self.random.between(10_000_000, 99_999_999));
        self.raw(format_args!(",\"phone\":\"{}{number}\"", if local { "0812" } else { "+62813" }));
    }

    fn options(&mut self, key: &str, options: &[&str]) {
        self.raw(format_args!(",\"{key}\":["));
        for (place, option) in options.iter().enumerate() {
            self.raw(format_args!("{}\"{option}\"", if place > 0 { "," } else { "" }));
        }
        self.json.push(']');
    }

    fn coordinate(&mut self, key: &str, (lat, lng): (f64, f64)) {
        self.raw(format_args!(",\"{key}\":\"{lat:.6},{lng:.6}\""));
    }

    fn date(&mut self, key: &str, at: i64) {
        let text = Moment(at * 1000).text();
        self.raw(format_args!(",\"{key}\":\"{}\"", &text[..10]));
    }

    fn time(&mut self, key: &str, at: i64) {
        let text = Moment(at * 1000).text();
        self.raw(format_args!(",\"{key}\":\"{text}\""));
    }

    /// A text that may hold quotes.
    fn text(&mut self, key: &str, text: &str) {
        self.raw(format_args!(",\"{key}\":\""));
        for c in text.chars() {
            if matches!(c, '"' | '\\') {
                self.json.push('\\');
            }
            self.json.push(c);
        }
        self.json.push('"');
    }

    fn raw(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.json.write_fmt(text);
    }
}

/// An amount of money with its cents.
struct Cents(i64);

impl std::fmt::Display for Cents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}
