"""Paging of lists."""

from rest_framework import pagination


class PageNumberPagination(pagination.PageNumberPagination):
    """Pages of 50, up to 500 on request (``?page_size=``)."""

    page_size_query_param = "page_size"
    max_page_size = 500
