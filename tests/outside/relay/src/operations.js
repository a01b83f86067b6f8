// What a Relay front-end needs of a schema: connections, refetching through Node, mutations, subscriptions.
// Only the compiler reads this file.
import { graphql } from 'relay-runtime';

export const page = graphql`
  query operationsPageQuery($count: Int!, $cursor: String) {
    ...operations_experiments @arguments(count: $count, cursor: $cursor)
  }
`;

export const experiments = graphql`
  fragment operations_experiments on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 5 }, cursor: { type: "String" })
  @refetchable(queryName: "operationsExperimentsPaginationQuery") {
    experiments(first: $count, after: $cursor) @connection(key: "operations_experiments") {
      totalCount
      edges {
        cursor
        node {
          expid
          ...operations_experiment
        }
      }
    }
  }
`;

export const experiment = graphql`
  fragment operations_experiment on Experiment
  @argumentDefinitions(jobs: { type: "Int", defaultValue: 3 }, cursor: { type: "String" })
  @refetchable(queryName: "operationsExperimentRefetchQuery") {
    expid
    status
    jobs(first: $jobs, after: $cursor) @connection(key: "operations_experiment_jobs") {
      edges {
        node {
          name
          status
        }
      }
    }
  }
`;

export const logIn = graphql`
  mutation operationsLoginMutation($input: LoginInput!) {
    login(input: $input) {
      expiresAt
      user {
        username
      }
      errors {
        code
        field
        message
      }
    }
  }
`;

export const updates = graphql`
  subscription operationsExperimentUpdatesSubscription($after: String) {
    experimentUpdates(after: $after) {
      cursor
      experiment {
        ...operations_experiment
      }
    }
  }
`;
