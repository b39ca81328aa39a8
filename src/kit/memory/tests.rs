use std::alloc::{GlobalAlloc, Layout};
use std::thread;

use proptest::prelude::*;

use super::{Counting, held_bytes, most_held};

/// What happens to one of the blocks that a thread holds.
#[derive(Debug, Clone)]
enum Step {
    Make { bytes: usize, align_power: u32, zeroed: bool },
    Resize { which: usize, bytes: usize },
    Free { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1usize..5000, 0u32..8, any::<bool>())
            .prop_map(|(bytes, align_power, zeroed)| Step::Make { bytes, align_power, zeroed }),
        2 => (any::<usize>(), 1usize..9000).prop_map(|(which, bytes)| Step::Resize { which, bytes }),
        2 => any::<usize>().prop_map(|which| Step::Free { which }),
    ]
}

/// A block, and the byte that all of it is filled with.
struct Block {
    start: *mut u8,
    layout: Layout,
    fill: u8,
}

impl Block {
    fn fill(&self) {
        // SAFETY: the block is `layout.size()` bytes that nobody else knows of.
        unsafe { self.start.write_bytes(self.fill, self.layout.size()) };
    }

    fn holds(&self, bytes: usize) -> bool {
        // SAFETY: as above, and it was filled when it was made or resized.
        (0..bytes).all(|place| unsafe { self.start.add(place).read() } == self.fill)
    }
}

/// Does the steps with the allocator, beside a model that holds only sizes.
fn follow(steps: &[Step]) {
    let (mut blocks, mut model) = (Vec::<Block>::with_capacity(steps.len()), 0isize);
    let before = held_bytes();
    for (number, step) in steps.iter().enumerate() {
        let fill = u8::try_from(number % 251).unwrap();
        match *step {
            Step::Make { bytes, align_power, zeroed } => {
                let layout = Layout::from_size_align(bytes, 1 << align_power).unwrap();
                // SAFETY: the size is not zero.
                let start = unsafe { if zeroed { Counting.alloc_zeroed(layout) } else { Counting.alloc(layout) } };
                assert!(!start.is_null() && start.addr() % layout.align() == 0);
                let block = Block { start, layout, fill: if zeroed { 0 } else { fill } };
                if zeroed {
                    assert!(block.holds(bytes), "zeroed memory is zero");
                }
                block.fill();
                blocks.push(block);
                model += isize::try_from(bytes).unwrap();
            }
            Step::Resize { which, bytes } if !blocks.is_empty() => {
                let place = which % blocks.len();
                let block = &mut blocks[place];
                let kept = bytes.min(block.layout.size());
                // SAFETY: the block came from this allocator with this layout; the size is not zero.
                block.start = unsafe { Counting.realloc(block.start, block.layout, bytes) };
                assert!(!block.start.is_null() && block.holds(kept), "what was in it is still there");
                model += isize::try_from(bytes).unwrap() - isize::try_from(block.layout.size()).unwrap();
                block.layout = Layout::from_size_align(bytes, block.layout.align()).unwrap();
                block.fill();
            }
            Step::Free { which } if !blocks.is_empty() => {
                let block = blocks.swap_remove(which % blocks.len());
                assert!(block.holds(block.layout.size()));
                // SAFETY: the block came from this allocator with this layout and is forgotten here.
                unsafe { Counting.dealloc(block.start, block.layout) };
                model -= isize::try_from(block.layout.size()).unwrap();
            }
            Step::Resize { .. } | Step::Free { .. } => {}
        }
        assert_eq!(held_bytes() - before, model);
    }
    for block in blocks.drain(..) {
        // SAFETY: as above.
        unsafe { Counting.dealloc(block.start, block.layout) };
    }
    assert_eq!(held_bytes(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_count_of_a_thread_is_the_sum_of_its_blocks(steps in proptest::collection::vec(step(), 1..200)) {
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| follow(&steps));
            }
        });
    }
}

#[test]
fn the_most_that_was_held_is_told() {
    let ((), most) = most_held(|| drop(vec![1u8; 100_000]));
    assert!((100_000..110_000).contains(&most), "{most}");
}

#[test]
fn threads_do_not_count_for_each_other() {
    let before = held_bytes();
    let made = thread::spawn(|| vec![0u8; 1 << 20]).join().unwrap();
    assert!(held_bytes() - before < 10_000, "the other thread made it");
    drop(made);
    assert!(held_bytes() - before < -1_000_000, "this one freed it");
}
