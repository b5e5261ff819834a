/**
 * TEST VECTORS, no secrets of anybody: what a token of the bytes 00 01 02 ... 1f gives. A change of these would cut every
 * running cluster off from its token; they may only be added to.
 */
export const testServerToken =
  'nbserver1.000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f.20261122.1.global.dc1.2c222865';

/** What `token client` makes of it. */
export const testClientToken =
  'nbclient1.eyJyZWdpb24iOiJnbG9iYWwiLCJkYXRhY2VudGVyIjoiZGMxIiwiZ29zc2lwIjoiZTlMb09Vb1E0bFNNSUc2dlYxRWhWVTF6cExBTHMxamg2akNwWmhmNkFiUT0iLCJjYSI6Ik1JSUJqVENDQVRPZ0F3SUJBZ0lRVkpNem9zTG8zOEROb1NZNEozbndDekFLQmdncWhrak9QUVFEQWpBbE1TTXdJUVlEVlFRREV4cHViMjFoWkMxaWIyOTBjM1J5WVhBZ1kyeDFjM1JsY2lCRFFUQWVGdzB5TmpFeE1qRXdNREF3TURCYUZ3MHpOakV4TWpJd01EQXdNREJhTUNVeEl6QWhCZ05WQkFNVEdtNXZiV0ZrTFdKdmIzUnpkSEpoY0NCamJIVnpkR1Z5SUVOQk1Ga3dFd1lIS29aSXpqMENBUVlJS29aSXpqMERBUWNEUWdBRWNiVzJzUEJFbGVuRUF2WkhyaHlFYjkxWVVLVVdUd2JEQWRQekhoZDBRb1cvYVBvNDZOcGc5dGg5ZGpaN3hnT2hFWlIrSjVSdXNjeDVkdDhuYUFTZjVLTkZNRU13RWdZRFZSMFRBUUgvQkFnd0JnRUIvd0lCQURBT0JnTlZIUThCQWY4RUJBTUNBUVl3SFFZRFZSME9CQllFRk1WZjAxNWFkK0RDdUF4QVBYSTk5Nkl1SVpqNU1Bb0dDQ3FHU000OUJBTUNBMGdBTUVVQ0lRQ2RNUDRJZTdPYTVyTFJGazducmFFOTlqaXRQdndNZ1QvNDNxZkpFeGVQUndJZ1VTVXZrNlRXS3MzZzhkWElZSlcrWngwVFBwcFh0OWUxTmhpbEwwVjZiMTA9IiwiY2VydGlmaWNhdGUiOiJNSUlCOGpDQ0FabWdBd0lCQWdJUVdJdVkyUEJ5NzB3NTZFT09oN254UHpBS0JnZ3Foa2pPUFFRREFqQWxNU013SVFZRFZRUURFeHB1YjIxaFpDMWliMjkwYzNSeVlYQWdZMngxYzNSbGNpQkRRVEFlRncweU5qRXhNakV3TURBd01EQmFGdzB6TmpFeE1qSXdNREF3TURCYU1CNHhIREFhQmdOVkJBTVRFMk5zYVdWdWRDNW5iRzlpWVd3dWJtOXRZV1F3V1RBVEJnY3Foa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVQxSm14RnpYSU1pTHNtdno4RWI5d1d5aVd3TGZxckFDUjEvUVFKd3pYMzlkaGxxM2gxTm5UMmU3ZzloQzRwcHo0bkVJMWtvZzgveDgrRnFVTmhEOFZNbzRHeE1JR3VNQXdHQTFVZEV3RUIvd1FDTUFBd0RnWURWUjBQQVFIL0JBUURBZ2VBTUIwR0ExVWRKUVFXTUJRR0NDc0dBUVVGQndNQkJnZ3JCZ0VGQlFjREFqQXZCZ05WSFJFRUtEQW1naE5qYkdsbGJuUXVaMnh2WW1Gc0xtNXZiV0ZrZ2dsc2IyTmhiR2h2YzNTSEJIOEFBQUV3SFFZRFZSME9CQllFRkZUUWhjVlVTaU1YSW1lNU92YjRMMTRaSEg4VU1COEdBMVVkSXdRWU1CYUFGTVZmMDE1YWQrREN1QXhBUFhJOTk2SXVJWmo1TUFvR0NDcUdTTTQ5QkFNQ0EwY0FNRVFDSUdGZzNsWEM5aC9mekhvWCtEbDFJZHZEeDd0WkplbXpHMkFjajNFakhNcGhBaUFIR09JN2wvM2U5ZFV6TmRqa0IxZXRKZytOeEx3Mkd1Rnp2U0xRZ2Y5Q0R3PT0iLCJrZXkiOiJNSUdIQWdFQU1CTUdCeXFHU000OUFnRUdDQ3FHU000OUF3RUhCRzB3YXdJQkFRUWdiOUpzRjdUbWhIajJnZVR5QytJT2Y5S2dPN0RnTGtza1FxTm8xczcrU01PaFJBTkNBQVQxSm14RnpYSU1pTHNtdno4RWI5d1d5aVd3TGZxckFDUjEvUVFKd3pYMzlkaGxxM2gxTm5UMmU3ZzloQzRwcHo0bkVJMWtvZzgveDgrRnFVTmhEOFZNIiwiYWdlbnQiOiI4OTk0OTM1OC0xMjE2LTQ3ZWUtODBiOS1jYTBiYWY2YmYyYTgiLCJub21hZCI6ImFkYTgyOWQ5LTAwMjYtNDA2Ni1hMWFjLTFiMTdlZTFhN2Q5ZSIsImRucyI6IjczOTFiYjkyLWQ1ZTItNDZmOC1hNmUyLTBlOWZmMTg0NzUzYyIsInJlY292ZXJ5IjoiN2Y1MDcwYzMtYzc5Yi00YTA1LWIwOTgtMWVhYjBhZDIzY2I1In0.e78c691d';

export const vectors = {
  gossip: {
    'nomad-gossip': 'tyToQt+JlHqRY1e7e5ZwHWi6NSxhtmWrlCOT4eNuO3I=',
    'consul-gossip': 'e9LoOUoQ4lSMIG6vV1EhVU1zpLALs1jh6jCpZhf6AbQ=',
    'ca-key': 'ExIyhzLF3JRSf8rU1ffa2PYoIJP0Y15LJX3LIlgy4WI=',
    'ca-serial': '1JMzosLo38DNoSY4J3nwC8tnt+ex6+I9qICpfoeSOdo=',
    'client-key': 'ILu653JvWG3usD0gOgMz8sBl9oyulfJ65YjH3QL/Qj4=',
    'client-serial': 'GIuY2PBy70w56EOOh7nxPzmqkPqiRs9VewWekQXpAr4=',
    'nomad-management': 'EovE84yuvv5RZpqrFUsKaQtO5IUQUFb7YG4xjQrUGXM=',
    'nomad-verify': '5rBXxtVyZedSpOd5sdhL5rMhshdvC7oXloh+KVAF8x4=',
    'consul-management': 'ugQjc7tMzviRz4KfDZPDhSPUFYlgPKdR+KzP0QSam8Y=',
    'consul-server-agent': '9PGDXgHsMCS8F3VgqlqYlkC1XbqOYbADnEgsIKmphDg=',
    'consul-client-agent': '++j+cvqexYLdACbvhu7QXaT7cpLWPULDRxMbPyr6u1M=',
    'consul-nomad-server': 'QMUyPEvZaK5wb6RN3wCJdiVyn6D0UJzlMa3SzjEX47A=',
    'consul-nomad-client': 'WqyzaMg2zz3D23/JmX68yjnW/oS8Ed+zyCevy986VqU=',
    'consul-verify': 'b5bqcklljg1ya82+vbMtUd4L6tjCHM5OkXmngA2Nksw=',
    'consul-dns': '9KJjzIvb4Tn4W95C+vZLIABH3J0n5B3WDqOQriZt1XI=',
    'consul-server-recovery': 'qTN6LA+5I18wwsSAMKli+W2t28wN2em6JcMKwlOBOqo=',
    'consul-client-recovery': 'YBs26gKrXq9kXWVvF9kcm2rIst6HO/DMERWVj7QEm1U=',
  },
  ids: {
    'nomad-gossip': ['6303ff7d-eeb5-49c3-968d-24ced57c5ee8', '0e77f060-e9e2-4455-97d3-da2dbebafc93'],
    'consul-gossip': ['81a59c63-e9ae-4df8-9218-b059ebe95f19', '04f9ec6b-48b5-4354-82de-0bf1a54bbbbe'],
    'ca-key': ['9414766d-13a2-441d-a771-a38383ecc0bc', '8f141088-eec6-41e3-9e99-89acc283c2a6'],
    'ca-serial': ['ec435c4e-15f5-4ffa-b46e-b089cc90ee25', 'c74654bc-5498-4c1c-9cfb-b171af6aeec8'],
    'client-key': ['8076cccd-95a0-4ef4-8560-afa2a87c02fe', 'f3bc6af8-f142-47be-94e2-82b85aefdf7c'],
    'client-serial': ['bb8c67d0-d441-49eb-954d-b23b45ea1ae8', '5c5d4cfd-9a2b-4314-9f91-ff126293e6ac'],
    'nomad-management': ['c52ff3ea-422e-4862-99f7-3830e3de313d', 'aac2db01-0b5d-4790-9124-64163a391a63'],
    'nomad-verify': ['7476ec14-01d7-4784-9db0-a2964f5ef6c7', '290a98a6-5d1d-4a5b-863a-13f6387cd4df'],
    'consul-management': ['5f7b72be-a541-40d5-9f57-d832adbe2acd', 'e1fd8d30-6c4b-45bf-aa30-9cf5c820311c'],
    'consul-server-agent': ['6dac7aa1-b891-48a3-b006-1534277365d3', '0774938c-109a-439b-b50c-03acc6c40419'],
    'consul-client-agent': ['aa540bdc-4d14-43af-a3b0-2680d29ab100', '89949358-1216-47ee-80b9-ca0baf6bf2a8'],
    'consul-nomad-server': ['94a7e7d7-0cad-43a2-ac0b-44fed35997f8', '9d45c139-f1f1-4c9e-b1a9-bae083d09390'],
    'consul-nomad-client': ['b5aabae9-e2f7-4701-accd-1383b1e1855e', 'ada829d9-0026-4066-a1ac-1b17ee1a7d9e'],
    'consul-verify': ['d5371441-ed49-412c-a2e4-94881097b2cd', 'f01cc6d8-127c-4537-9d77-d387f522b33f'],
    'consul-dns': ['f9825981-0ae8-43a3-a287-9eba9a20b333', '7391bb92-d5e2-46f8-a6e2-0e9ff184753c'],
    'consul-server-recovery': ['defc7b87-7714-480c-bd49-0d8998d70710', 'a11f70ab-e8ee-45a9-a1bb-8533bb1b00a8'],
    'consul-client-recovery': ['9fe89cb1-1aa2-4904-a5ce-c0098d017dc5', '7f5070c3-c79b-4a05-b098-1eab0ad23cb5'],
  },
  authorityKey: '8b478cb6b2ebae03c4f698ef4a41c659b30160a9b20a728157eaf81125090249',
  authority:
    '-----BEGIN CERTIFICATE-----\nMIIBjTCCATOgAwIBAgIQVJMzosLo38DNoSY4J3nwCzAKBggqhkjOPQQDAjAlMSMw\nIQYDVQQDExpub21hZC1ib290c3RyYXAgY2x1c3RlciBDQTAeFw0yNjExMjEwMDAw\nMDBaFw0zNjExMjIwMDAwMDBaMCUxIzAhBgNVBAMTGm5vbWFkLWJvb3RzdHJhcCBj\nbHVzdGVyIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEcbW2sPBElenEAvZH\nrhyEb91YUKUWTwbDAdPzHhd0QoW/aPo46Npg9th9djZ7xgOhEZR+J5Ruscx5dt8n\naASf5KNFMEMwEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYwHQYD\nVR0OBBYEFMVf015ad+DCuAxAPXI996IuIZj5MAoGCCqGSM49BAMCA0gAMEUCIQCd\nMP4Ie7Oa5rLRFk7nraE99jitPvwMgT/43qfJExePRwIgUSUvk6TWKs3g8dXIYJW+\nZx0TPppXt9e1NhilL0V6b10=\n-----END CERTIFICATE-----\n',
  nomadGossip: 'tyToQt+JlHqRY1e7e5ZwHWi6NSxhtmWrlCOT4eNuO3I=',
  consulGossip: 'e9LoOUoQ4lSMIG6vV1EhVU1zpLALs1jh6jCpZhf6AbQ=',
};
