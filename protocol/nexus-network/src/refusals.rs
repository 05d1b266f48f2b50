//! Counters of what an organ refused, by cause: one list of causes makes the counters, their names and the enum.

/// Makes `Refusals`, counters from the start of the node, and `Refused`, by which the organ counts. What stands before `counters` is their
/// documentation.
macro_rules! refusals {
    ($(#[$what:meta])* counters; $($(#[$doc:meta])* $name:ident,)*) => {
        $(#[$what])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub struct Refusals {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// Why something was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(non_camel_case_types, reason = "each is named as its counter is")]
        pub(super) enum Refused {
            $($name,)*
        }

        impl Refusals {
            /// All counters by name, in a fixed order.
            pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }

            pub(super) const fn count(&mut self, why: Refused) {
                let counter = match why {
                    $(Refused::$name => &mut self.$name,)*
                };
                *counter = counter.saturating_add(1);
            }
        }
    };
}
pub(crate) use refusals;
