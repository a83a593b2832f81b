"""The report of an edition: tables, workbook, document, charts, map sheets and the bundle of them. No Django here."""
