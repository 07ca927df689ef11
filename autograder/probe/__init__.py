"""The probe: runs inside the sandbox, beside the student's code, and writes down what it finds as data.

It knows no answer: it gets names and inputs (`request.json` and arrays in the inbox) and writes records and arrays to the
outbox. Whatever it reports is a stranger's word; the grader checks form and content on its side.
Imports the standard library, NumPy and torch only.
"""
