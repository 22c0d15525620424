"""The demo's three sites: a shop that embeds the widget, a stranger who copied it, an agent."""
