"""The reference application: a small BookedBarber that speaks the product's paths.

    python -m rehearsal.app serve | migrate | downgrade | seed | heads | digest | schema | workload

``settings`` reads the environment, ``storage`` owns the database connection and its figures,
``cache`` Redis, ``shop`` the business and all SQL, ``web`` HTTP and the pages, ``migrate`` the
schema's history beneath ``migrations/``, ``seed`` the synthetic data.
"""
