/**
 * What etcd answered to these requests, one after the other, each line after the ones before it: [path, request, HTTP code,
 * answer]. Recorded from etcd 3.4.23; cluster, member and term are left out of headers, and errors told once instead of
 * twice. The one code that is not as recorded: 3.5's gateway gives a failed precondition 400, not 412.
 */
export type Exchange = readonly [path: string, request: string, code: number, answer: unknown];

export const ETCD_ANSWERS: readonly Exchange[] = [
  ['/v3/kv/range', '{"key":"YQ=="}', 200, { header: { revision: '1' } }],
  ['/v3/kv/put', '{"key":"YQ==","value":"djE="}', 200, { header: { revision: '2' } }],
  [
    '/v3/kv/put',
    '{"key":"YQ==","value":"djI=","prev_kv":true}',
    200,
    {
      header: { revision: '3' },
      prev_kv: { key: 'YQ==', create_revision: '2', mod_revision: '2', version: '1', value: 'djE=' },
    },
  ],
  ['/v3/kv/put', '{"key":"Yg==","value":""}', 200, { header: { revision: '4' } }],
  ['/v3/kv/put', '{"key":"","value":"djE="}', 400, { message: 'etcdserver: key is not provided', code: 3 }],
  ['/v3/kv/put', '{}', 400, { message: 'etcdserver: key is not provided', code: 3 }],
  ['/v3/kv/put', '{"key":"YQ==","ignore_value":true}', 200, { header: { revision: '5' } }],
  [
    '/v3/kv/put',
    '{"key":"YQ==","value":"djE=","ignore_value":true}',
    400,
    { message: 'etcdserver: value is provided', code: 3 },
  ],
  ['/v3/kv/put', '{"key":"bmV3","ignore_value":true}', 400, { message: 'etcdserver: key not found', code: 3 }],
  [
    '/v3/kv/put',
    '{"key":"YQ==","ignore_lease":true,"lease":5}',
    400,
    { message: 'etcdserver: lease is provided', code: 3 },
  ],
  [
    '/v3/kv/put',
    '{"key":"YQ==","lease":"77","value":"djE="}',
    404,
    { message: 'etcdserver: requested lease not found', code: 5 },
  ],
  ['/v3/kv/range', '{"key":""}', 400, { message: 'etcdserver: key is not provided', code: 3 }],
  [
    '/v3/kv/range',
    '{"key":"AA==","range_end":"AA=="}',
    200,
    {
      header: { revision: '5' },
      kvs: [
        { key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' },
        { key: 'Yg==', create_revision: '4', mod_revision: '4', version: '1' },
      ],
      count: '2',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","keys_only":true}',
    200,
    {
      header: { revision: '5' },
      kvs: [
        { key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3' },
        { key: 'Yg==', create_revision: '4', mod_revision: '4', version: '1' },
      ],
      count: '2',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","count_only":true}',
    200,
    { header: { revision: '5' }, count: '2' },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","limit":1}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      more: true,
      count: '2',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","limit":"1","sort_order":"DESCEND","sort_target":"MOD"}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      more: true,
      count: '2',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","sort_order":2,"sort_target":3}',
    200,
    {
      header: { revision: '5' },
      kvs: [
        { key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' },
        { key: 'Yg==', create_revision: '4', mod_revision: '4', version: '1' },
      ],
      count: '2',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","sort_order":"BOGUS"}',
    400,
    { message: 'unknown value "BOGUS" for enum etcdserverpb.RangeRequest_SortOrder', code: 3 },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","sort_target":"VALUE"}',
    200,
    {
      header: { revision: '5' },
      kvs: [
        { key: 'Yg==', create_revision: '4', mod_revision: '4', version: '1' },
        { key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' },
      ],
      count: '2',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA==","min_mod_revision":"4","limit":1}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      more: true,
      count: '2',
    },
  ],
  ['/v3/kv/range', '{"key":"Yw==","range_end":"YQ=="}', 200, { header: { revision: '5' } }],
  [
    '/v3/kv/range',
    '{"key":"YQ==","revision":2}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '2', version: '1', value: 'djE=' }],
      count: '1',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","revision":99}',
    400,
    { message: 'etcdserver: mvcc: required revision is a future revision', code: 11 },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","revision":-1}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      count: '1',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","bogus":1}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      count: '1',
    },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","rangeEnd":"AA=="}',
    200,
    {
      header: { revision: '5' },
      kvs: [
        { key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' },
        { key: 'Yg==', create_revision: '4', mod_revision: '4', version: '1' },
      ],
      count: '2',
    },
  ],
  ['/v3/kv/range', '{"key":"!!!"}', 400, { message: 'illegal base64 data at input byte 0', code: 3 }],
  [
    '/v3/kv/range',
    '{"key":5}',
    400,
    { message: 'json: cannot unmarshal number into Go value of type []uint8', code: 3 },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","limit":null}',
    200,
    {
      header: { revision: '5' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      count: '1',
    },
  ],
  ['/v3/kv/range', '', 400, { message: 'etcdserver: key is not provided', code: 3 }],
  [
    '/v3/kv/range',
    '[]',
    400,
    { message: 'json: cannot unmarshal array into Go value of type map[string]json.RawMessage', code: 3 },
  ],
  [
    '/v3/kv/deleterange',
    '{"key":"Yg==","prev_kv":true}',
    200,
    {
      header: { revision: '6' },
      deleted: '1',
      prev_kvs: [{ key: 'Yg==', create_revision: '4', mod_revision: '4', version: '1' }],
    },
  ],
  ['/v3/kv/deleterange', '{"key":"Yg=="}', 200, { header: { revision: '6' } }],
  ['/v3/kv/deleterange', '{}', 400, { message: 'etcdserver: key is not provided', code: 3 }],
  ['/v3/kv/txn', '{}', 200, { header: { revision: '6' }, succeeded: true }],
  [
    '/v3/kv/txn',
    '{"compare":[{"target":"VERSION","key":"YQ==","version":"2"}],"success":[{"requestPut":{"key":"YQ==","value":"djE="}},{"requestRange":{"key":"YQ=="}},{"request_delete_range":{"key":"Yg=="}}],"failure":[{"requestRange":{"key":"YQ=="}}]}',
    200,
    {
      header: { revision: '6' },
      responses: [
        {
          response_range: {
            header: { revision: '6' },
            kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
            count: '1',
          },
        },
      ],
    },
  ],
  [
    '/v3/kv/txn',
    '{"compare":[{"result":"GREATER","target":"MOD","key":"YQ==","mod_revision":"2"},{"target":"VALUE","key":"YQ==","value":"djE="}],"success":[{"request_put":{"key":"Yg==","value":"djE="}},{"request_put":{"key":"Yw==","value":"djE="}}]}',
    200,
    { header: { revision: '6' } },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","range_end":"AA=="}',
    200,
    {
      header: { revision: '6' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '5', version: '3', value: 'djI=' }],
      count: '1',
    },
  ],
  [
    '/v3/kv/txn',
    '{"success":[{"request_put":{"key":"Yg==","value":"djE="}},{"request_put":{"key":"Yg==","value":"djE="}}]}',
    400,
    { message: 'etcdserver: duplicate key given in txn request', code: 3 },
  ],
  [
    '/v3/kv/txn',
    '{"success":[{"request_put":{"key":"Yg==","value":"djE="}},{"request_delete_range":{"key":"YQ==","range_end":"Yw=="}}]}',
    400,
    { message: 'etcdserver: duplicate key given in txn request', code: 3 },
  ],
  [
    '/v3/kv/txn',
    '{"success":[{"request_delete_range":{"key":"YQ=="}},{"request_delete_range":{"key":"YQ==","range_end":"Yw=="}}]}',
    200,
    {
      header: { revision: '7' },
      succeeded: true,
      responses: [
        { response_delete_range: { header: { revision: '7' }, deleted: '1' } },
        { response_delete_range: { header: { revision: '7' } } },
      ],
    },
  ],
  ['/v3/kv/txn', '{"success":[{}]}', 400, { message: 'etcdserver: key not found', code: 3 }],
  [
    '/v3/kv/txn',
    '{"success":[{"request_put":{"key":""}}]}',
    400,
    { message: 'etcdserver: key is not provided', code: 3 },
  ],
  [
    '/v3/kv/txn',
    '{"compare":[{"target":"CREATE","key":"bm9uZQ=="}],"success":[{"request_txn":{"success":[{"request_range":{"key":"YQ=="}},{"request_put":{"key":"YQ==","value":"djI=","prev_kv":true}}]}}]}',
    200,
    {
      header: { revision: '8' },
      succeeded: true,
      responses: [
        {
          response_txn: {
            header: {},
            succeeded: true,
            responses: [
              { response_range: { header: { revision: '7' } } },
              { response_put: { header: { revision: '8' } } },
            ],
          },
        },
      ],
    },
  ],
  [
    '/v3/kv/txn',
    '{"compare":[{"target":"VALUE","key":"bm9uZQ==","value":""}],"success":[]}',
    200,
    { header: { revision: '8' } },
  ],
  [
    '/v3/kv/txn',
    '{"compare":[{"target":"VERSION","key":"YQ==","range_end":"AA==","result":"GREATER","version":0}],"success":[{"request_range":{"key":"YQ=="}}]}',
    200,
    {
      header: { revision: '8' },
      succeeded: true,
      responses: [
        {
          response_range: {
            header: { revision: '8' },
            kvs: [{ key: 'YQ==', create_revision: '8', mod_revision: '8', version: '1', value: 'djI=' }],
            count: '1',
          },
        },
      ],
    },
  ],
  [
    '/v3/kv/txn',
    '{"compare":[{"target":"BOGUS","key":"YQ=="}]}',
    400,
    { message: 'unknown value "BOGUS" for enum etcdserverpb.Compare_CompareTarget', code: 3 },
  ],
  ['/v3/kv/txn', '{"compare":[{"key":""}]}', 400, { message: 'etcdserver: key is not provided', code: 3 }],
  ['/v3/kv/txn', '{"compare":[{"target":"MOD","key":"YQ=="}]}', 200, { header: { revision: '8' } }],
  ['/v3/kv/txn', '{"compare":[{"target":"MOD","key":"YQ==","version":"3"}]}', 200, { header: { revision: '8' } }],
  ['/v3/kv/compaction', '{"revision":3}', 200, { header: { revision: '8' } }],
  [
    '/v3/kv/compaction',
    '{"revision":3}',
    400,
    { message: 'etcdserver: mvcc: required revision has been compacted', code: 11 },
  ],
  [
    '/v3/kv/compaction',
    '{"revision":99, "physical":true}',
    400,
    { message: 'etcdserver: mvcc: required revision is a future revision', code: 11 },
  ],
  ['/v3/kv/compaction', '{}', 400, { message: 'etcdserver: mvcc: required revision has been compacted', code: 11 }],
  [
    '/v3/kv/range',
    '{"key":"YQ==","revision":2}',
    400,
    { message: 'etcdserver: mvcc: required revision has been compacted', code: 11 },
  ],
  [
    '/v3/kv/range',
    '{"key":"YQ==","revision":3}',
    200,
    {
      header: { revision: '8' },
      kvs: [{ key: 'YQ==', create_revision: '2', mod_revision: '3', version: '2', value: 'djI=' }],
      count: '1',
    },
  ],
  ['/v3/lease/grant', '{"TTL":100,"ID":7}', 200, { header: { revision: '8' }, ID: '7', TTL: '100' }],
  ['/v3/lease/grant', '{"TTL":100,"ID":7}', 400, { message: 'etcdserver: lease already exists', code: 9 }],
  ['/v3/lease/grant', '{"TTL":0,"ID":8}', 200, { header: { revision: '8' }, ID: '8', TTL: '2' }],
  ['/v3/lease/grant', '{"TTL":-5,"ID":9}', 200, { header: { revision: '8' }, ID: '9', TTL: '2' }],
  ['/v3/lease/grant', '{"ID":10}', 200, { header: { revision: '8' }, ID: '10', TTL: '2' }],
  ['/v3/lease/grant', '{"TTL":"9000000001"}', 400, { message: 'etcdserver: too large lease TTL', code: 11 }],
  ['/v3/kv/put', '{"key":"bDE=","value":"djE=","lease":"7"}', 200, { header: { revision: '9' } }],
  [
    '/v3/kv/range',
    '{"key":"bDE="}',
    200,
    {
      header: { revision: '9' },
      kvs: [{ key: 'bDE=', create_revision: '9', mod_revision: '9', version: '1', value: 'djE=', lease: '7' }],
      count: '1',
    },
  ],
  ['/v3/kv/put', '{"key":"bDE=","value":"djI=","ignore_lease":true}', 200, { header: { revision: '10' } }],
  [
    '/v3/kv/range',
    '{"key":"bDE="}',
    200,
    {
      header: { revision: '10' },
      kvs: [{ key: 'bDE=', create_revision: '9', mod_revision: '10', version: '2', value: 'djI=', lease: '7' }],
      count: '1',
    },
  ],
  [
    '/v3/lease/timetolive',
    '{"ID":7,"keys":true}',
    200,
    { header: { revision: '10' }, ID: '7', TTL: '99', grantedTTL: '100', keys: ['bDE='] },
  ],
  ['/v3/lease/timetolive', '{"ID":7}', 200, { header: { revision: '10' }, ID: '7', TTL: '99', grantedTTL: '100' }],
  [
    '/v3/kv/lease/timetolive',
    '{"ID":7,"keys":true}',
    200,
    { header: { revision: '10' }, ID: '7', TTL: '99', grantedTTL: '100', keys: ['bDE='] },
  ],
  ['/v3/lease/timetolive', '{"ID":777}', 200, { header: { revision: '10' }, ID: '777', TTL: '-1' }],
  ['/v3/lease/revoke', '{"ID":7}', 200, { header: { revision: '11' } }],
  ['/v3/kv/lease/revoke', '{"ID":7}', 404, { message: 'etcdserver: requested lease not found', code: 5 }],
  ['/v3/kv/range', '{"key":"bDE="}', 200, { header: { revision: '11' } }],
  ['/v3/lease/revoke', '{}', 404, { message: 'etcdserver: requested lease not found', code: 5 }],
];
