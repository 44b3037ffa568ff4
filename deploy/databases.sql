-- The databases beside Airflow's own, made when the server's volume is new.
create database warehouse;
create database oncall;
