"""A record as a page to look at: a file of HTML that loads nothing. It takes Jinja2, extra `report`."""

from estimator_slim.report.page.rendering import can_be_made, overview_of, page_of

__all__ = ["can_be_made", "overview_of", "page_of"]
