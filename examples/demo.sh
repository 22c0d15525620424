# What a shop has to know to work with `kataven-flask demo`: read it by `. ./demo.sh`. The pair of
# keys is public, and good on this machine alone.
export KATAVEN_URL=http://localhost:8000
export KATAVEN_CONNECT_URL=http://localhost:8003/connect
export KATAVEN_CLIENT_KEY=pk_test_demo_c56wJJekTt040SAU8soRL1
export KATAVEN_SECRET_KEY=sk_test_demo_iyXTvO73nWfI93uSKjXGlGCdOmKlAyXSt4l0mUxKy1s
export SHOP_SECRET_KEY=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export SHOP_INSECURE_COOKIE=1
