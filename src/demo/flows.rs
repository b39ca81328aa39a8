//! The flows and hubs that the tasks belong to.

use crate::domain::{Component, Flow, Hub, Id, Moment, Page};

/// Name, address, latitude and longitude.
const HUBS: [(&str, &str, f64, f64); 8] = [
    ("Jakarta Pusat", "Jl. Kebon Sirih 12, Jakarta", -6.1826, 106.8307),
    ("Bandung", "Jl. Asia Afrika 65, Bandung", -6.9211, 107.6066),
    ("Surabaya", "Jl. Rajawali 3, Surabaya", -7.2361, 112.7351),
    ("Denpasar", "Jl. Teuku Umar 88, Denpasar", -8.6745, 115.2048),
    ("กรุงเทพฯ", "ถนนพระราม 4, กรุงเทพฯ", 13.7298, 100.5340),
    ("Hà Nội", "Phố Huế 120, Hà Nội", 21.0159, 105.8514),
    ("Zürich", "Hardstrasse 201, 8005 Zürich", 47.3863, 8.5180),
    ("São Paulo", "Av. Paulista 1000, São Paulo", -23.5651, -46.6518),
];

/// (id, component, title, type)
type Question = (&'static str, &'static str, &'static str, Option<&'static str>);

/// Title and questions.
type Asked = (&'static str, &'static [Question]);

/// Name and pages of each.
const FLOWS: [(&str, &[Asked]); 5] = [
    (
        "Delivery",
        &[
            (
                "Order",
                &[
                    ("orderNo", "view", "Order number", None),
                    ("customer", "input", "Customer", Some("text")),
                    ("phone", "input", "Phone", Some("text")),
                    ("address", "input", "Address", Some("text")),
                    ("items", "list", "Items", None),
                    ("bill", "bill", "Bill", None),
                ],
            ),
            (
                "Proof of delivery",
                &[
                    ("receiver", "input", "Received by", Some("text")),
                    ("deliveryPhoto", "photo", "Photo of the parcel", None),
                    ("receiverSignature", "signature", "Signature", None),
                    ("weight", "input", "Weight", Some("number")),
                ],
            ),
        ],
    ),
    (
        "Pickup",
        &[(
            "Pickup",
            &[
                ("sender", "input", "Sender", Some("text")),
                ("parcels", "input", "Parcels", Some("number")),
                ("pickupDate", "input", "Agreed date", Some("date")),
                ("pickupTime", "input", "Agreed time", Some("time")),
                ("labelScan", "capture", "Label", None),
            ],
        )],
    ),
    (
        "Site inspection",
        &[
            (
                "Site",
                &[
                    ("siteLocation", "input", "Location", Some("coordinate")),
                    ("checks", "select", "Checks passed", None),
                    ("rating", "select", "Rating", None),
                ],
            ),
            (
                "Findings",
                &[
                    ("findings", "input", "Findings", Some("text")),
                    ("sitePhoto", "photo", "Site photo", None),
                    ("voiceNote", "voice", "Voice note", None),
                    ("nextInspection", "input", "Next inspection", Some("date")),
                ],
            ),
        ],
    ),
    (
        "Maintenance visit",
        &[(
            "Work",
            &[
                ("assetId", "input", "Asset", Some("text")),
                ("workTimer", "timer", "Time spent", None),
                ("temperature", "input", "Temperature", Some("number")),
                ("pressure", "input", "Pressure", Some("number")),
                ("partsUsed", "list", "Parts used", None),
                ("workSignature", "signature", "Signature of the customer", None),
            ],
        )],
    ),
    (
        "Sales visit",
        &[(
            "Visit",
            &[
                ("outlet", "input", "Outlet", Some("text")),
                ("interests", "select", "Interested in", None),
                ("orderValue", "input", "Order value", Some("number")),
                ("shelfPhoto", "photo", "Shelf", None),
                ("followUp", "input", "Follow up on", Some("date")),
            ],
        )],
    ),
];

/// The id of a flow or hub, told apart by `kind`.
pub(super) fn id(kind: u8, number: usize) -> Id {
    let mut bytes = [0x64; 12];
    (bytes[4], bytes[11]) = (kind, number as u8);
    Id(bytes)
}

/// Places among the flows.
pub(super) const DELIVERY: usize = 0;
pub(super) const INSPECTION: usize = 2;

pub(super) const FLOW: u8 = 0xf0;
pub(super) const HUB: u8 = 0xb0;

/// The flows.
pub fn flows(now: Moment) -> Vec<Flow> {
    let made = now.long_text();
    let component = |(id, component, title, kind): &Question| Component {
        id: (*id).to_owned(),
        component: (*component).to_owned(),
        title: (*title).to_owned(),
        kind: kind.map(str::to_owned),
        more: serde_json::Map::new(),
    };
    let page = |(number, (title, questions)): (usize, &Asked)| Page {
        id: format!("page{}", number + 1),
        title: (*title).to_owned(),
        components: questions.iter().map(component).collect(),
    };
    let flow = |(number, (name, pages)): (usize, &(&str, &[Asked]))| Flow {
        id: id(FLOW, number),
        name: (*name).to_owned(),
        pages: pages.iter().enumerate().map(page).collect(),
        created_time: made.clone(),
        updated_time: made.clone(),
    };
    FLOWS.iter().enumerate().map(flow).collect()
}

/// The hubs.
pub fn hubs(now: Moment) -> Vec<Hub> {
    let made = now.long_text();
    let hub = |(number, (name, address, lat, lng)): (usize, &(&str, &str, f64, f64))| Hub {
        id: id(HUB, number),
        name: (*name).to_owned(),
        address: Some((*address).to_owned()),
        lat: Some(*lat),
        lng: Some(*lng),
        created_time: made.clone(),
        updated_time: made.clone(),
    };
    HUBS.iter().enumerate().map(hub).collect()
}

/// The name of a flow.
pub(super) fn flow_name(number: usize) -> &'static str {
    FLOWS[number].0
}

/// The name of a hub, and where it is.
pub(super) fn hub_place(number: usize) -> (&'static str, f64, f64) {
    let (name, _, lat, lng) = HUBS[number];
    (name, lat, lng)
}

pub(super) const FLOW_COUNT: usize = FLOWS.len();
pub(super) const HUB_COUNT: usize = HUBS.len();
