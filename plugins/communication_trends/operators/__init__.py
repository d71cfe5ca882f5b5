"""The DAGs' three steps: list the organizations, aggregate each, sum up."""

from communication_trends.operators.aggregate import AggregateTrendsOperator
from communication_trends.operators.base import ASSETS
from communication_trends.operators.list_organizations import ListOrganizationsOperator
from communication_trends.operators.summarize import SummarizeTrendsOperator

__all__ = ["ASSETS", "AggregateTrendsOperator", "ListOrganizationsOperator", "SummarizeTrendsOperator"]
