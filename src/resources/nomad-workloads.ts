/** The names and contents that `nomad setup consul` uses. Source: command/setup_consul.go, Nomad 2.0.5. */
export const authMethod = 'nomad-workloads';

/** What a job may call itself in Consul: a service by its name, anything else by its namespace's role. */
export const bindingRules = [
  {
    BindType: 'service',
    BindName: '$' + '{value.nomad_service}',
    Selector: '"nomad_service" in value',
  },
  {
    BindType: 'role',
    BindName: 'nomad-$' + '{value.nomad_namespace}-tasks',
    Selector: '"nomad_service" not in value',
  },
] as const;
