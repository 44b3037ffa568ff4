"""The inbox: stands in for Opsgenie, Jira Service Management's integration API and Slack over real HTTP.

Three faces, as strict as the originals (`/opsgenie`, `/jsm/ops/integration`, `/api`), a page to read (`/`), and
controls (`/_control`) that are open to anybody who can reach them: so it listens on 127.0.0.1 only.
"""
