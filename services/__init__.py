"""The four services, the chassis they stand on and the command `referrals`; README.md is the way in."""
